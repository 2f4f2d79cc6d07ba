/** One request as a server reads it that gives no benefit of any doubt. */
export interface ReadRequest {
  readonly method: string
  readonly target: string
  readonly lines: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly trailers: readonly (readonly [name: string, value: string])[]
}

/** What was read of a connection: whole requests, and how it stands behind them. */
export interface ReadRequests {
  readonly requests: readonly ReadRequest[]
  /** `partial` when the last request is not whole. */
  readonly rest: 'none' | 'partial'
  /** Of the request that is not whole: its head, when that is. */
  readonly begun: ReadRequest | undefined
}

/** One response as a client reads it that gives no benefit of any doubt. */
export interface ReadResponse {
  readonly status: number
  readonly lines: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly whole: boolean
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/

type Lines = (readonly [name: string, value: string])[]

/**
 * Reads everything that came on a connection to a server, as latin1.
 *
 * @throws on the first byte that is not in the grammar of RFC 9112, and on everything that two servers may read
 * differently: other line ends, folded lines, framing twice, chunk extensions.
 */
export function readRequests(text: string): ReadRequests {
  const requests: ReadRequest[] = []
  let at = 0
  while (at < text.length) {
    const end = text.indexOf('\r\n\r\n', at)
    if (end < 0) {
      if (text.length - at > 70_000) throw new Error('a head without end')
      return { requests, rest: 'partial', begun: undefined }
    }
    const [first = '', ...rest] = text.slice(at, end).split('\r\n')
    const match = /^([A-Z]+(?:-[A-Z]+)*) ([\x21-\x7e]+) HTTP\/1\.1$/.exec(first)
    if (match === null) throw new Error(`no request line: ${JSON.stringify(first)}`)
    const [, method = '', target = ''] = match
    if (!/^(?:\/[^#\\]*|\*)$/.test(target)) throw new Error(`no target: ${target}`)
    const lines = readLines(rest)
    const hosts = valuesOf(lines, 'host')
    if (hosts.length !== 1) throw new Error(`${hosts.length} Host lines`)
    const head = { method, target, lines, body: '', trailers: [] }
    const body = readBody(text, end + 4, lines)
    if (!body.whole) return { requests, rest: 'partial', begun: head }
    requests.push({ ...head, body: body.body, trailers: body.trailers })
    at = body.next
  }
  return { requests, rest: 'none', begun: undefined }
}

/**
 * Reads everything that came to a client; 1xx are left out.
 *
 * @param bodiless - tells responses that have no body by what was asked for
 * @throws on the first byte that is not in the grammar, and on framing that two clients may read differently.
 */
export function readResponses(
  text: string,
  bodiless: (lines: Lines, behind: string) => boolean,
): ReadResponse[] {
  const responses: ReadResponse[] = []
  let at = 0
  while (at < text.length) {
    const end = text.indexOf('\r\n\r\n', at)
    if (end < 0) {
      if (!'HTTP/1.1 '.startsWith(text.slice(at, at + 9))) throw new Error('no status line')
      responses.push({ status: 0, lines: [], body: '', whole: false })
      return responses
    }
    const [first = '', ...rest] = text.slice(at, end).split('\r\n')
    const match = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*$/.exec(first)
    if (match === null) throw new Error(`no status line: ${JSON.stringify(first)}`)
    const status = Number(match[1])
    const lines = readLines(rest)
    at = end + 4
    if (status < 200) {
      if (
        valuesOf(lines, 'content-length').length + valuesOf(lines, 'transfer-encoding').length >
        0
      )
        throw new Error('a 1xx with framing')
      if (status === 101)
        return [...responses, { status, lines, body: text.slice(at), whole: true }]
      continue
    }
    if (status === 204 && valuesOf(lines, 'content-length').length > 0) {
      throw new Error('a 204 with a length')
    }
    if (status === 204 || status === 304 || bodiless(lines, text.slice(at, at + 9))) {
      responses.push({ status, lines, body: '', whole: true })
      continue
    }
    const framed =
      valuesOf(lines, 'content-length').length + valuesOf(lines, 'transfer-encoding').length
    if (framed === 0) throw new Error('a response that nothing frames')
    const { body, next, whole } = readBody(text, at, lines)
    responses.push({ status, lines, body, whole })
    if (!whole) return responses
    at = next
  }
  return responses
}

/** Values of a field, by its name in lower case. */
export function valuesOf(lines: readonly (readonly [string, string])[], name: string): string[] {
  return lines.flatMap(([key, value]) => (key.toLowerCase() === name ? [value] : []))
}

function readLines(lines: readonly string[]): Lines {
  return lines.map((line) => {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    if (colon < 1 || !token.test(name)) throw new Error(`no field: ${JSON.stringify(line)}`)
    const value = line.slice(colon + 1)
    if (!fieldValue.test(value)) throw new Error(`no value: ${JSON.stringify(line)}`)
    return [name, value.replaceAll(/^[ \t]+|[ \t]+$/g, '')] as const
  })
}

interface ReadBody {
  readonly body: string
  readonly trailers: Lines
  readonly next: number
  readonly whole: boolean
}

function readBody(text: string, from: number, lines: Lines): ReadBody {
  const lengths = valuesOf(lines, 'content-length')
  const codings = valuesOf(lines, 'transfer-encoding')
  if (lengths.length + codings.length > 1) throw new Error('framed twice')
  if (codings.length === 1) {
    if (codings[0] !== 'chunked') throw new Error(`coded as ${codings[0]}`)
    return readChunks(text, from)
  }
  if (lengths.length === 0) return { body: '', trailers: [], next: from, whole: true }
  if (!/^(?:0|[1-9]\d*)$/.test(lengths[0]!)) throw new Error(`no length: ${lengths[0]}`)
  const next = from + Number(lengths[0])
  const body = text.slice(from, next)
  return { body, trailers: [], next, whole: next <= text.length }
}

function readChunks(text: string, from: number): ReadBody {
  let body = ''
  let at = from
  const cut = (): ReadBody => ({ body, trailers: [], next: text.length, whole: false })
  for (;;) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) {
      if (!/^[0-9a-f]{0,8}\r?$/i.test(text.slice(at))) throw new Error('no chunk')
      return cut()
    }
    const line = text.slice(at, end)
    if (!/^[0-9a-f]{1,8}$/i.test(line)) throw new Error(`no chunk: ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    at = end + 2
    if (size === 0) break
    body += text.slice(at, at + size)
    if (text.length < at + size + 2) return cut()
    if (text.slice(at + size, at + size + 2) !== '\r\n') throw new Error('a chunk without its end')
    at += size + 2
  }
  const trailers: string[] = []
  for (;;) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) return cut()
    const line = text.slice(at, end)
    at = end + 2
    if (line === '') return { body, trailers: readLines(trailers), next: at, whole: true }
    trailers.push(line)
  }
}
