import {
  type Clock,
  clockOption,
  type Duration,
  functionOption,
  invalidOption,
  listOption,
  objectOption,
  parseDuration,
  parseSize,
  type Size,
  systemClock,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { RequestEditor, ResponseEditor } from '../exchange/field-editor.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Reply, Verdict } from '../exchange/reply.ts'
import { urlOf } from './auth/key-option.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { type FieldRecord, fieldNameOption, isFieldValue } from './field-option.ts'
import { removeLookalikes } from './lookalikes.ts'
import { wholeOption, wordOption } from './number-option.ts'
import { type RefusalOptions, refusal } from './refusal.ts'

/** What an {@link AuthService} is asked. */
export interface AuthQuestion {
  /** GET, whatever the request's method is: that is in X-Forwarded-Method. */
  readonly method: 'GET'
  /** X-Forwarded-* about the request, and those of its headers that are passed on; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** What it answers. */
export interface AuthAnswer {
  readonly status: number
  readonly headers?: FieldRecord
  readonly body?: string | Uint8Array
}

/** Decides about requests: the port of {@link forwardAuth}. */
export type AuthService = (question: AuthQuestion, x: Exchange) => AuthAnswer | Promise<AuthAnswer>

/** Whom {@link forwardAuth} asks, and what passes between. */
export interface ForwardAuthOptions extends RefusalOptions {
  /** The service, asked by `fetch`. Either this, or {@link ForwardAuthOptions.ask}. */
  readonly url?: string
  readonly ask?: AuthService
  /** An answer that takes longer is a failure. Default `5s`. */
  readonly timeout?: Duration
  /** Headers of the request that are passed to the service. Default: authorization, cookie, accept, user-agent. */
  readonly requestHeaders?: readonly string[]
  /** Headers of a good answer that go to the backend; what the client sent under these names never gets there. Default: none. */
  readonly toBackend?: readonly string[]
  /** Headers of a good answer that go to the client with the response, such as `set-cookie`. Default: none. */
  readonly toClient?: readonly string[]
  /** The longest body of an answer that goes to the client; a longer one is left out. Default `64KiB`. */
  readonly maxBody?: Size
  /** When the service fails: answer 503 (see {@link RefusalOptions}), or let requests pass. Default `deny`. */
  readonly onFailure?: 'deny' | 'allow'
  /** Questions under way at one time; beyond it the service counts as failed. Default 1024. */
  readonly maxPending?: number
  readonly clock?: Clock
}

/** A filter that asks an auth service, and its state. */
export interface ForwardAuth extends HttpFilter {
  /** Questions under way. */
  readonly pending: number
}

/**
 * Asks another service about each request, as Traefik's ForwardAuth does: 2xx lets it pass; any other answer below 500
 * goes to the client (`auth-refused`). Fails closed: without an answer, with 5xx, or with none in time it is 503
 * (`auth-service-failed`).
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function forwardAuth(options: ForwardAuthOptions, path = 'forwardAuth'): ForwardAuth {
  const { url, ask } = objectOption(options, path)
  if ((url === undefined) === (ask === undefined)) {
    throw invalidOption(path, 'needs either "url" or "ask"')
  }
  const clock = clockOption(options.clock ?? systemClock, `${path}.clock`)
  const timeoutMs = parseDuration(options.timeout ?? '5s', `${path}.timeout`)
  if (timeoutMs === 0) throw invalidOption(`${path}.timeout`, 'must be more than 0')
  const maxBody = parseSize(options.maxBody ?? '64KiB', `${path}.maxBody`)
  const service =
    ask === undefined
      ? fetchService(urlOf(url as string, `${path}.url`), timeoutMs, maxBody, clock)
      : functionOption(ask, `${path}.ask`)
  const passed = namesOf(
    options.requestHeaders ?? ['authorization', 'cookie', 'accept', 'user-agent'],
    `${path}.requestHeaders`,
  )
  const toBackend = namesOf(options.toBackend ?? [], `${path}.toBackend`)
  const toClient = namesOf(options.toClient ?? [], `${path}.toClient`)
  const opens =
    wordOption(options.onFailure ?? 'deny', ['deny', 'allow'], `${path}.onFailure`) === 'allow'
  const maxPending = wholeOption(
    options.maxPending ?? 1024,
    `${path}.maxPending`,
    1,
    1_000_000,
    'bound',
  )
  const failed = refusal(options, path, 503, 'auth-service-failed').reply
  const filterKey = {}
  let pending = 0

  function failure(x: Exchange, error: unknown): Verdict {
    x.flag('auth-service-failed')
    x.log.error({ error, id: x.id }, 'the auth service failed')
    return opens ? undefined : failed
  }

  function judged(x: Exchange, answer: AuthAnswer): Verdict {
    const { status } = objectOption(answer, 'answer')
    if (!Number.isInteger(status) || status < 200 || status > 499) {
      return failure(x, new Error(`the answer was ${String(status)}`))
    }
    if (status > 299) return refused(answer, maxBody)
    const headers = answer.headers ?? {}
    x.remember(filterKey, {
      backend: picked(headers, toBackend),
      client: picked(headers, toClient),
    } satisfies Passed)
    return undefined
  }

  async function decide(x: Exchange): Promise<Verdict> {
    const controller = new AbortController()
    x.remember(filterKey, controller)
    pending += 1
    let expire: () => void = () => {}
    const expired = new Promise<never>((_, reject) => {
      expire = () => reject(new Error(`no answer within ${timeoutMs} ms`))
    })
    const timer = clock.after(timeoutMs, () => {
      expire()
      controller.abort()
    })
    // Also a service that does not heed the signal must not hold a place for ever.
    controller.signal.addEventListener('abort', expire)
    try {
      const question = {
        method: 'GET',
        headers: questionHeaders(x, passed),
        signal: controller.signal,
      } as const
      const answer = await Promise.race([service(question, x), expired])
      x.remember(filterKey, undefined)
      return judged(x, answer)
    } catch (error) {
      x.remember(filterKey, undefined)
      // The exchange is over: nobody wants to know.
      return gone.has(controller) ? undefined : failure(x, error)
    } finally {
      pending -= 1
      timer[Symbol.dispose]()
    }
  }
  /** Questions whose exchange ended meanwhile. */
  const gone = new WeakSet<AbortController>()

  return {
    name: 'forward-auth',
    get pending() {
      return pending
    },
    request: (x) =>
      pending >= maxPending
        ? failure(x, new Error(`${maxPending} questions are under way already`))
        : decide(x),
    ...(toBackend.length === 0
      ? {}
      : {
          upstreamHead(head: RequestEditor, x: Exchange): void {
            for (const name of toBackend) removeLookalikes(head, name)
            const told = x.recall(filterKey) as Passed | undefined
            for (const [name, value] of told?.backend ?? []) head.add(name, value)
          },
        }),
    ...(toClient.length === 0
      ? {}
      : {
          responseHead(head: ResponseEditor, x: Exchange): void {
            const told = x.recall(filterKey)
            if (told === undefined || told instanceof AbortController) return
            for (const [name, value] of (told as Passed).client) head.add(name, value)
          },
        }),
    done(_record, x) {
      const asked = x.recall(filterKey)
      if (!(asked instanceof AbortController)) return
      gone.add(asked)
      asked.abort()
    },
  }
}

type Lines = readonly (readonly [name: string, value: string])[]

interface Passed {
  readonly backend: Lines
  readonly client: Lines
}

/** What frames or describes the answer's own message, and is not the client's. */
const notPassed: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'date',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'server',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
])

function refused(answer: AuthAnswer, maxBody: number): Reply {
  const headers: Record<string, readonly string[]> = {}
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    if (notPassed.has(name.toLowerCase())) continue
    headers[name] = (typeof value === 'string' ? [value] : value).filter(isFieldValue)
  }
  const { status, body } = answer
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const kept = bytes !== undefined && bytes.length <= maxBody ? bytes : undefined
  if (kept === undefined) delete headers['content-type']
  return {
    status,
    headers,
    reason: 'auth-refused',
    ...(kept === undefined ? {} : { body: kept, errorPage: false }),
  }
}

function picked(headers: FieldRecord, names: readonly string[]): Lines {
  if (names.length === 0) return []
  const lines: [string, string][] = []
  for (const [name, value] of Object.entries(headers)) {
    if (!names.includes(name.toLowerCase())) continue
    for (const one of typeof value === 'string' ? [value] : value) {
      if (isFieldValue(one)) lines.push([name, one])
    }
  }
  return lines
}

function questionHeaders(x: Exchange, passed: readonly string[]): Readonly<Record<string, string>> {
  const { request } = x
  const headers: Record<string, string> = {}
  for (const name of passed) {
    const lines = request.headerAll(name)
    if (lines.length > 0) headers[name] = lines.join(name === 'cookie' ? '; ' : ', ')
  }
  // Ours come last: the client must not speak for us.
  const host =
    request.host.includes(':') && !request.host.startsWith('[') ? `[${request.host}]` : request.host
  headers['x-forwarded-method'] = request.method
  headers['x-forwarded-proto'] = request.scheme
  headers['x-forwarded-host'] = request.port === 0 ? host : `${host}:${request.port}`
  headers['x-forwarded-uri'] = request.target
  headers['x-forwarded-for'] = request.client
  return headers
}

function fetchService(url: string, timeoutMs: number, maxBody: number, clock: Clock): AuthService {
  return async ({ method, headers, signal }) => {
    const answer = await boundedFetch(url, { method, headers, timeoutMs, maxBody, clock, signal })
    const fields: Record<string, string[]> = {}
    for (const [name, value] of answer.headers) (fields[name] ??= []).push(value)
    return {
      status: answer.status,
      headers: fields,
      ...(answer.tooLong || answer.body.length === 0 ? {} : { body: answer.body }),
    }
  }
}

function namesOf(names: readonly string[], path: string): readonly string[] {
  return listOption(names, path).map((name, index) =>
    fieldNameOption(name, `${path}[${index}]`).toLowerCase(),
  )
}
