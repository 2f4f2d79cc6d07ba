/** A hook of `HttpFilter`, and in which order several filters are asked. */
export interface Hook {
  readonly name: string
  /** `given`: as the filters are listed. `opposite`: the last one first. */
  readonly order: 'given' | 'opposite'
}

/** One step in the life of an exchange, as the picture shows it. */
export interface Phase {
  readonly title: string
  readonly hooks: readonly Hook[]
  readonly notes: readonly string[]
  /** It may end the exchange with an answer of our own, or without any. */
  readonly answers?: true
}

const given = (...names: readonly string[]): Hook[] =>
  names.map((name) => ({ name, order: 'given' }))
const opposite = (...names: readonly string[]): Hook[] =>
  names.map((name) => ({ name, order: 'opposite' }))

/** To the backend, once. */
export const before: readonly Phase[] = [
  {
    title: 'judge',
    hooks: [],
    notes: [
      'limits, framing, host, one canonical path, trust',
      'a refusal (400, 414, 431, 501 …) asks no hook',
    ],
  },
  { title: 'route', hooks: [], notes: ['first match wins; none: 404'] },
  {
    title: 'policies',
    hooks: given('request'),
    notes: ['a reply or a drop: the rest is not asked'],
    answers: true,
  },
  {
    title: 'action',
    hooks: [],
    notes: ['respond, redirect, tarpit, drop: answered here', 'forward: on to a member'],
    answers: true,
  },
  {
    title: 'request body',
    hooks: given('gather', 'requestBody'),
    notes: ['hold it until it is whole; transforms, asked once'],
  },
]

/** To the backend, for each attempt. */
export const attempts: readonly Phase[] = [
  {
    title: 'pick',
    hooks: given('prefer'),
    notes: ['persistence, else the algorithm; waits for room'],
  },
  {
    title: 'consent',
    hooks: given('attempt'),
    notes: ['pass: the next member. stop: no attempt, 503'],
  },
  {
    title: 'head',
    hooks: given('upstreamHead'),
    notes: ['a fresh copy, after rewrite and header changes'],
  },
  {
    title: 'connect and send',
    hooks: [],
    notes: ['an idle connection or a new one; then the body'],
  },
]

/** Back to the client, the backend's side first. */
export const after: readonly Phase[] = [
  {
    title: 'early words',
    hooks: opposite('informational'),
    notes: ['1xx but 100 and 101, as often as they come'],
  },
  {
    title: 'response head',
    hooks: opposite('responseHead'),
    notes: ['the member’s, or that of an answer of our own', 'then nothing is tried again'],
  },
  {
    title: 'response body',
    hooks: opposite('responseBody'),
    notes: ['transforms of a member’s body, asked once'],
  },
  { title: 'trailers', hooks: opposite('trailers'), notes: ['forbidden names are gone already'] },
  {
    title: 'over',
    hooks: given('done'),
    notes: [
      'exactly once, whatever happened, with the record,',
      'for filters whose request was reached',
    ],
  },
]

/** When no further attempt is made. */
export const failure: Phase = {
  title: 'failure',
  hooks: opposite('failed'),
  notes: ['not tried again: what to', 'tell the client instead', 'of the default reply'],
  answers: true,
}

/** Instead of a response, after 101. */
export const tunnel: Phase = {
  title: 'tunnel',
  hooks: [],
  notes: ['after 101, if the route has', 'the protocol: bytes both', 'ways, then it is over'],
}

/** Every hook that the picture shows. */
export const hooks: readonly Hook[] = [...before, ...attempts, ...after, failure].flatMap(
  (phase) => phase.hooks,
)
