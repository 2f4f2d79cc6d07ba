import { types } from 'node:util'
import {
  type Duration,
  flagOption,
  functionOption,
  invalidOption,
  listOption,
  objectOption,
  parseDuration,
  SteelyardError,
  shown,
} from '@steelyard/core'
import { RE2JS } from 're2js'
import type { Exchange } from '../exchange/exchange.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Reply } from '../exchange/reply.ts'
import { fieldNameOption, tokenOption } from './field-option.ts'
import { wholeOption } from './number-option.ts'
import { addVary } from './vary.ts'

/** Whose pages may read our responses. */
export interface CorsOptions {
  /**
   * `*` for any; else a list of origins (`https://app.example.com`), of wildcards for names below
   * (`https://*.example.com`), of regular expressions (anchored by yourself; matched in linear time, so without look-around and
   * back-references), or a function. Required.
   */
  readonly origins: '*' | readonly (string | RegExp)[] | ((origin: string, x: Exchange) => boolean)
  /** Default: GET, HEAD, POST, PUT, PATCH, DELETE. */
  readonly methods?: readonly string[]
  /** Request headers that scripts may set; `*` for whatever they ask for. Default `*`. */
  readonly headers?: '*' | readonly string[]
  /** Response headers that scripts may read beyond the safe ones. Default: none. */
  readonly exposeHeaders?: readonly string[]
  /** Cookies and Authorization may go along. Not with origins `*`. Default `false`. */
  readonly credentials?: boolean
  /** How long a browser keeps the answer to a preflight; whole seconds. Default `10m`. */
  readonly maxAge?: Duration
  /** Public pages may reach us in a private network (Access-Control-Request-Private-Network). Default `false`. */
  readonly privateNetwork?: boolean
  /** Of the answer to a preflight. Default 204. */
  readonly preflightStatus?: number
}

/** Longer ones are no origins. */
const longestOrigin = 512

/**
 * Cross-origin resource sharing (Fetch standard, section 3.2): answers preflights here (204, `cors-preflight`), and
 * replaces whatever the backend says about it on all other responses. An origin that may not gets the response without
 * the fields, so that the browser keeps it from the page: this guards users, not the backend.
 *
 * To stand before filters that authenticate: preflights carry no credentials.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function cors(options: CorsOptions, path = 'cors'): HttpFilter {
  objectOption(options, path)
  const credentials = flagOption(options.credentials ?? false, `${path}.credentials`)
  const privateNetwork = flagOption(options.privateNetwork ?? false, `${path}.privateNetwork`)
  const anyOrigin = options.origins === '*'
  if (anyOrigin && credentials) {
    throw invalidOption(
      `${path}.origins`,
      '"*" does not go with credentials: name the origins that may send them',
    )
  }
  const admits = anyOrigin ? () => true : originTest(options.origins, `${path}.origins`)
  const methods = listOption(
    options.methods ?? ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    `${path}.methods`,
  )
    .map((method, index) => tokenOption(method, `${path}.methods[${index}]`))
    .join(', ')
  const headers = options.headers ?? '*'
  const allowedHeaders =
    headers === '*' ? undefined : namesOf(headers, `${path}.headers`).join(', ')
  const exposed = namesOf(options.exposeHeaders ?? [], `${path}.exposeHeaders`).join(', ')
  const maxAgeMs = parseDuration(options.maxAge ?? '10m', `${path}.maxAge`)
  if (maxAgeMs % 1000 !== 0) throw invalidOption(`${path}.maxAge`, 'must be whole seconds')
  const status = wholeOption(
    options.preflightStatus ?? 204,
    `${path}.preflightStatus`,
    200,
    299,
    'status of success',
  )
  const filterKey = {}

  /** The origin as we may repeat it; undefined when it may not. */
  function admitted(x: Exchange): string | undefined {
    const origin = x.request.header('origin')
    if (origin === undefined || origin.length > longestOrigin) return undefined
    return admits(origin, x) ? (anyOrigin ? '*' : origin) : undefined
  }

  function preflight(x: Exchange): Reply {
    const origin = admitted(x)
    const { request } = x
    x.remember(filterKey, preflighted)
    const vary = [
      ...(anyOrigin ? [] : ['Origin']),
      'Access-Control-Request-Method',
      'Access-Control-Request-Headers',
      ...(privateNetwork ? ['Access-Control-Request-Private-Network'] : []),
    ].join(', ')
    if (origin === undefined) return { status, headers: { vary }, reason: 'cors-preflight' }
    const asked = allowedHeaders ?? echoed(request.headerAll('access-control-request-headers'))
    return {
      status,
      reason: 'cors-preflight',
      headers: {
        vary,
        'access-control-allow-origin': origin,
        'access-control-allow-methods': methods,
        'access-control-max-age': String(maxAgeMs / 1000),
        ...(asked === '' ? {} : { 'access-control-allow-headers': asked }),
        ...(credentials ? { 'access-control-allow-credentials': 'true' } : {}),
        ...(privateNetwork &&
        request.header('access-control-request-private-network')?.toLowerCase() === 'true'
          ? { 'access-control-allow-private-network': 'true' }
          : {}),
      },
    }
  }

  return {
    name: 'cors',
    request(x) {
      const { request } = x
      const isPreflight =
        request.method === 'OPTIONS' &&
        request.header('origin') !== undefined &&
        request.header('access-control-request-method') !== undefined
      return isPreflight ? preflight(x) : undefined
    },
    responseHead(head, x) {
      if (x.recall(filterKey) === preflighted) return
      for (const field of ours) head.remove(field)
      // Also for those who may not, and who sent no origin: a cache must not give their response to others.
      if (!anyOrigin) addVary(head, 'Origin')
      const origin = admitted(x)
      if (origin === undefined) return
      head.set('Access-Control-Allow-Origin', origin)
      if (credentials) head.set('Access-Control-Allow-Credentials', 'true')
      if (exposed !== '') head.set('Access-Control-Expose-Headers', exposed)
    },
  }
}

const preflighted: object = Object.freeze({})

/** Two opinions in one response are an error to browsers, and the backend's may be laxer than ours. */
const ours: readonly string[] = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-allow-private-network',
  'access-control-max-age',
]

/** The names that a preflight asks for, as far as they are names. */
function echoed(lines: readonly string[]): string {
  return lines
    .join(',')
    .slice(0, 4096)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
    .join(', ')
}

function namesOf(names: readonly string[], path: string): readonly string[] {
  return listOption(names, path).map((name, index) => fieldNameOption(name, `${path}[${index}]`))
}

function originTest(
  origins: CorsOptions['origins'],
  path: string,
): (origin: string, x: Exchange) => boolean {
  if (typeof origins === 'function') return functionOption(origins, path)
  const exact = new Set<string>()
  const wildcards: { readonly before: string; readonly after: string }[] = []
  const patterns: RE2JS[] = []
  listOption(origins as readonly (string | RegExp)[], path).forEach((origin, index) => {
    const at = `${path}[${index}]`
    if (types.isRegExp(origin)) {
      patterns.push(linear(origin, at))
      return
    }
    const match = originForm.exec(typeof origin === 'string' ? origin : '')
    if (match === null) {
      throw invalidOption(
        at,
        `${shown(origin)} is no origin: write scheme://host or scheme://*.host, with a port if it has one, and nothing behind`,
      )
    }
    const { scheme = '', wild, host = '' } = match.groups ?? {}
    if (wild === undefined) exact.add(origin.toLowerCase())
    else {
      wildcards.push({
        before: `${scheme.toLowerCase()}://`,
        after: `.${host.toLowerCase()}`,
      })
    }
  })
  return (origin) =>
    exact.has(origin) ||
    wildcards.some(
      ({ before, after }) =>
        origin.length > before.length + after.length &&
        origin.startsWith(before) &&
        origin.endsWith(after) &&
        label.test(origin.slice(before.length, -after.length)),
    ) ||
    patterns.some((pattern) => pattern.test(origin))
}

/** The same expression in an engine that no origin can keep busy. */
function linear(pattern: RegExp, path: string): RE2JS {
  if (!/^[dgsuy]*i?[dgsuy]*$/.test(pattern.flags)) {
    throw invalidOption(path, `the flags ${shown(pattern.flags)} do not fit: use i or none`)
  }
  try {
    return RE2JS.compile(
      RE2JS.translateRegExp(pattern.source),
      pattern.ignoreCase ? RE2JS.CASE_INSENSITIVE : 0,
    )
  } catch (error) {
    throw new SteelyardError(
      `this expression cannot be matched in linear time: ${error instanceof Error ? error.message : ''}`,
      { code: 'invalid-option', source: 'config', path, cause: error },
    )
  }
}

/** Browsers send origins in this form, in lower case (RFC 6454 section 6.2). */
const originForm =
  /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<wild>\*\.)?(?<host>(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?)$/i

/** What a star stands for: names, and no port or user that would move the host's end. */
const label = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/
