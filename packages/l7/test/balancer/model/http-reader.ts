/** What was read of one message. Strict: what is no HTTP/1.1 as we write it throws. */
export interface Message {
  /** Start line and lines, without the empty line. */
  readonly start: string
  readonly fields: ReadonlyMap<string, string>
  readonly body: string
  /** By its framing it is whole. */
  readonly whole: boolean
  /** Its body ends with the connection. */
  readonly untilClose: boolean
}

/** Reads messages one after the other, up to the last, which may not be whole. */
export function readMessages(
  text: string,
  /** The method of the n-th message's request: for responses. Undefined: there is no such request. */
  methodOf: ((index: number) => string | undefined) | 'requests',
): Message[] {
  const messages: Message[] = []
  let at = 0
  let index = 0
  while (at < text.length) {
    const end = text.indexOf('\r\n\r\n', at)
    if (end < 0) {
      // A head that was cut: nothing to be said of it but that it may begin like one.
      const rest = text.slice(at)
      if (!/^[A-Z]/.test(rest)) throw new Error(`no message begins like ${JSON.stringify(rest)}`)
      break
    }
    const [start = '', ...lines] = text.slice(at, end).split('\r\n')
    at = end + 4
    const fields = new Map<string, string>()
    for (const line of lines) {
      const colon = line.indexOf(':')
      if (colon <= 0) throw new Error(`no field: ${JSON.stringify(line)}`)
      const name = line.slice(0, colon).toLowerCase()
      const framing = name === 'content-length' || name === 'transfer-encoding'
      if (framing && fields.has(name)) throw new Error(`${name} twice`)
      fields.set(name, line.slice(colon + 1).trim())
    }
    if (fields.has('content-length') && fields.has('transfer-encoding'))
      throw new Error('two framings')
    let status = 0
    let method = ''
    if (methodOf === 'requests') {
      if (!/^[A-Z]+ \S+ HTTP\/1\.1$/.test(start)) throw new Error(`no request line: ${start}`)
    } else {
      if (!/^HTTP\/1\.1 \d{3} /.test(start)) throw new Error(`no status line: ${start}`)
      status = Number(start.slice(9, 12))
      const asked = methodOf(index)
      if (asked === undefined) throw new Error(`nobody asked for ${start}`)
      method = asked
    }
    const { body, next, whole, untilClose } = readBody(text, at, fields, status, method)
    messages.push({ start, fields, body, whole, untilClose })
    if (status === 101) break
    if (status === 0 || status >= 200) index += 1
    if (!whole || untilClose) break
    at = next
    // What a tunnel begins with; no method does.
    if (text[at] === 't') break
  }
  return messages
}

function readBody(
  text: string,
  at: number,
  fields: ReadonlyMap<string, string>,
  status: number,
  method: string,
): { body: string; next: number; whole: boolean; untilClose: boolean } {
  const none = status === 204 || status === 304 || (status > 0 && status < 200) || method === 'HEAD'
  if (none) return { body: '', next: at, whole: true, untilClose: false }
  if (fields.get('transfer-encoding') === 'chunked') return readChunks(text, at)
  const length = fields.get('content-length')
  if (length === undefined && status > 0) {
    return { body: text.slice(at), next: text.length, whole: false, untilClose: true }
  }
  const size = Number(length ?? 0)
  const body = text.slice(at, at + size)
  return { body, next: at + size, whole: body.length === size, untilClose: false }
}

function readChunks(text: string, from: number): ReturnType<typeof readBody> {
  let at = from
  let body = ''
  const cut = { body, next: text.length, whole: false, untilClose: false }
  for (;;) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) return { ...cut, body }
    const line = text.slice(at, end)
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`no chunk: ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    at = end + 2
    if (size === 0) {
      if (text.startsWith('\r\n', at)) {
        return { body, next: at + 2, whole: true, untilClose: false }
      }
      const last = text.indexOf('\r\n\r\n', at)
      if (last < 0) return { ...cut, body }
      return { body, next: last + 4, whole: true, untilClose: false }
    }
    body += text.slice(at, at + size)
    if (text.length < at + size + 2) return { ...cut, body }
    if (text.slice(at + size, at + size + 2) !== '\r\n') throw new Error('a chunk without its end')
    at += size + 2
  }
}
