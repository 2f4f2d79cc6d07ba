/** A response that nobody asked for. */
const poison = 'HTTP/1.1 200 OK\r\nX-Id: poison\r\nContent-Length: 6\r\n\r\npoison'

type Bent = (lines: string, body: string) => string

const length = (body: string, more = 0): string => `Content-Length: ${body.length + more}\r\n`
const ok = (lines: string, body = ''): string => `HTTP/1.1 200 OK\r\n${lines}\r\n${body}`
const chunk = (body: string): string => `${body.length.toString(16)}\r\n${body}\r\n`

/** Answers of a broken or hostile server; `lines` say whose the answer is. */
export const bentAnswers: readonly Bent[] = [
  (lines, body) => ok(lines + length(body), body),
  (lines, body) => ok(lines + length(body), body + poison),
  (lines, body) => ok(lines + length(body, -1), body + poison),
  (lines, body) => ok(lines + length(body, 7), body + poison),
  (lines, body) => ok(`${lines}Content-Length: 0\r\n`, body + poison),
  (lines, body) => ok(lines + length(body) + length(body), body + poison),
  (lines, body) => ok(`${lines + length(body)}Content-Length: 0\r\n`, body + poison),
  (lines, body) => ok(`${lines}Content-Length: ${body.length}, ${body.length}\r\n`, body + poison),
  (lines, body) => ok(`${lines}Content-Length: +${body.length}\r\n`, body),
  (lines, body) => ok(`${lines}Content-Length: -1\r\n`, body),
  (lines, body) => ok(`${lines}Content-Length: 99999999999999999999\r\n`, body),
  (lines, body) => ok(`${lines}Content-Length : ${body.length}\r\n`, body + poison),
  (lines, body) => ok(`${lines}Content_Length: ${body.length}\r\n`, body + poison),
  (lines, body) => ok(`${lines}Transfer-Encoding: chunked\r\n`, `${chunk(body)}0\r\n\r\n`),
  (lines, body) => ok(`${lines}Transfer-Encoding: chunked\r\n`, `${chunk(body)}0\r\n\r\n${poison}`),
  (lines, body) =>
    ok(`${lines}Transfer-Encoding: chunked\r\n`, `${chunk(body)}0\r\nX-Sum: 1\r\n\r\n`),
  (lines, body) =>
    ok(
      `${lines}Transfer-Encoding: chunked\r\n`,
      `${chunk(body)}0\r\nSet-Cookie: a\r\nContent-Length: 3\r\n\r\n`,
    ),
  (lines, body) => ok(`${lines}Transfer-Encoding: chunked\r\n`, `${chunk(body)}0\r\n${poison}`),
  (lines, body) => ok(`${lines}Transfer-Encoding: chunked\r\n`, `0x${chunk(body)}0\r\n\r\n`),
  (lines, body) =>
    ok(
      `${lines}Transfer-Encoding: chunked\r\n`,
      `${chunk(body).replace('\r\n', ' \r\n')}0\r\n\r\n`,
    ),
  (lines, body) =>
    ok(
      `${lines}Transfer-Encoding: chunked\r\n`,
      `${chunk(body).replace('\r\n', ';a="\r\n')}0\r\n\r\n`,
    ),
  (lines, body) =>
    ok(`${lines}Transfer-Encoding: chunked\r\n`, `${chunk(body).replaceAll('\r\n', '\n')}0\n\n`),
  (lines, body) => ok(`${lines}Transfer-Encoding: chunked\r\n`, `ffffffffffffffff\r\n${body}`),
  (lines, body) =>
    ok(`${lines}Transfer-Encoding: chunked\r\n${length(body)}`, `${chunk(body)}0\r\n\r\n`),
  (lines, body) =>
    ok(`${lines + length(body)}Transfer-Encoding: chunked\r\n`, `${chunk(body)}0\r\n\r\n`),
  (lines, body) => ok(`${lines}Transfer-Encoding: gzip, chunked\r\n`, `${chunk(body)}0\r\n\r\n`),
  (lines, body) => ok(`${lines}Transfer-Encoding: chunked, chunked\r\n`, `${chunk(body)}0\r\n\r\n`),
  (lines, body) => ok(`${lines}Transfer-Encoding: identity\r\n`, body + poison),
  (lines, body) => ok(`${lines}Transfer-Encoding: \x0bchunked\r\n${length(body)}`, body + poison),
  (lines, body) => ok(`${lines}X-A: b\r\n Content-Length: 3\r\n${length(body)}`, body),
  (lines, body) => ok(`${lines}X-A: b\nContent-Length: 3\r\n${length(body)}`, body),
  (lines, body) => ok(`${lines}X-A: b\rContent-Length: 3\r\n${length(body)}`, body),
  (lines, body) => ok(`${lines}X-A: \x00\r\n${length(body)}`, body),
  (lines, body) => ok(`${lines}X A: b\r\n${length(body)}`, body),
  (lines, body) => ok(`${lines}: b\r\n${length(body)}`, body),
  (lines, body) => ok(`${lines}Connection: content-length, x-id\r\n${length(body)}`, body),
  (lines, body) => ok(`${lines}Connection: close\r\n${length(body)}`, body + poison),
  (lines, body) => `HTTP/1.0 200 OK\r\n${lines}${length(body)}\r\n${body}${poison}`,
  (lines, body) =>
    `HTTP/1.0 200 OK\r\n${lines}Transfer-Encoding: chunked\r\n\r\n${chunk(body)}0\r\n\r\n`,
  (lines, body) => `HTTP/2.0 200 OK\r\n${lines}${length(body)}\r\n${body}`,
  (lines, body) => `HTTP/1.1 2000 OK\r\n${lines}${length(body)}\r\n${body}`,
  (lines, body) => `HTTP/1.1 20 OK\r\n${lines}${length(body)}\r\n${body}`,
  (lines, body) => `HTTP/1.1 999 Odd\r\n${lines}${length(body)}\r\n${body}`,
  (lines, body) => `HTTP/1.1 200 O\x00K\r\n${lines}${length(body)}\r\n${body}`,
  (lines, body) => `HTTP/1.1 200 OK\rX: y\r\n${lines}${length(body)}\r\n${body}`,
  (lines, body) => `HTTP/1.1 200\r\n${lines}${length(body)}\r\n${body}`,
  (lines, body) => `\r\nHTTP/1.1 200 OK\r\n${lines}${length(body)}\r\n${body}`,
  (lines, body) => `HTTP/1.1 204 No Content\r\n${lines}${length(body)}\r\n${body}`,
  (lines) => `HTTP/1.1 204 No Content\r\n${lines}\r\n${poison}`,
  (lines) => `HTTP/1.1 204 No Content\r\n${lines}Transfer-Encoding: chunked\r\n\r\n`,
  (lines, body) => `HTTP/1.1 304 Not Modified\r\n${lines}${length(body)}\r\n${poison}`,
  (lines, body) => `HTTP/1.1 100 Continue\r\n\r\n${ok(lines + length(body), body)}`,
  (lines, body) =>
    `HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n${ok(lines + length(body), body)}`,
  (lines, body) =>
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok(lines + length(body), body)}`,
  (lines, body) =>
    `HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n${ok(lines + length(body), body)}`,
  (lines, body) =>
    `${'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(70)}${ok(lines + length(body), body)}`,
  (lines, body) =>
    `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n${ok(lines + length(body), body)}`,
  (lines, body) => `HTTP/1.1 101 Switching Protocols\r\n\r\n${ok(lines + length(body), body)}`,
  (lines) => `HTTP/1.1 205 Reset Content\r\n${lines}Content-Length: 0\r\n\r\n${poison}`,
  () => poison.slice(0, 20),
  () => `${poison}${poison}`.slice(1),
  () => 'no such thing\r\n\r\n',
  (lines) => `HTTP/1.1 200 OK\r\n${lines}X-Long: ${'b'.repeat(70_000)}\r\n\r\n`,
]

/** Bytes that go in at some place behind the line that says whose it is. */
export const strayBytes: readonly string[] = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\0',
  ' ',
  ':',
  '0',
  '\x80',
]
