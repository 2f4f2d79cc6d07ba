import { SteelyardError } from '@steelyard/core'
import { parseAddress } from '@steelyard/core/ip'

/** A request that is asked about. */
export interface Question {
  readonly method: string
  /** `http://host:port/path?query`, or https. */
  readonly url: string
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly client: string
  /** Of this listener, `load balancer/listener`; by URL when it is not named. */
  readonly listener?: string
}

/**
 * Reads what was typed: `GET https://host/path`, header lines, a client's address.
 *
 * @throws `invalid-question`
 */
export function questionOf(
  request: string,
  lines: readonly string[] = [],
  client = '127.0.0.1',
  listener?: string,
): Question {
  const [, method = 'GET', url = ''] = /^(?:([A-Z][A-Z0-9-]*)\s+)?(\S+)$/.exec(request.trim()) ?? []
  const whole = /^https?:\/\//i.test(url) ? url : `http://${url}`
  if (!URL.canParse(whole)) {
    throw wrong(`"${request}" is no request: write 'GET https://www.example.com/path'`)
  }
  const headers: Record<string, string[]> = {}
  for (const line of lines) {
    const [, name, value] = /^([^\s:]+):[ \t]*(.*)$/.exec(line) ?? []
    if (name === undefined || value === undefined) {
      throw wrong(`"${line}" is no header: write 'name: value'`)
    }
    headers[name] = [...(headers[name] ?? []), value.trimEnd()]
  }
  return {
    method,
    url: whole.replace(/^https?/i, (scheme) => scheme.toLowerCase()),
    headers,
    client: parseAddress(client, '--client').text,
    ...(listener === undefined ? {} : { listener }),
  }
}

/**
 * Reads a question that came as JSON.
 *
 * @throws `invalid-question`
 */
export function questionFrom(text: string): Question {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong('the body is not JSON')
  }
  const {
    method = 'GET',
    url,
    headers = {},
    client = '127.0.0.1',
    listener,
  } = Object(value) as {
    readonly method?: unknown
    readonly url?: unknown
    readonly headers?: unknown
    readonly client?: unknown
    readonly listener?: unknown
  }
  const isText = (one: unknown): one is string => typeof one === 'string'
  if (!isText(method) || !isText(url) || !isText(client)) {
    throw wrong('the question needs "url", a text; "method" and "client" are texts too')
  }
  if (listener !== undefined && !isText(listener)) throw wrong('"listener" is no text')
  const lines = Object.entries(Object(headers) as Record<string, unknown>).flatMap(
    ([name, given]) =>
      (Array.isArray(given) ? (given as unknown[]) : [given]).map(
        (one) => `${name}: ${String(one)}`,
      ),
  )
  return questionOf(`${method} ${url}`, lines, client, listener)
}

function wrong(message: string): SteelyardError {
  return new SteelyardError(message, { code: 'invalid-question', source: 'client' })
}
