import fc from 'fast-check'

// Pieces of messages, right and wrong: every input of the reference list of bad inputs that a parser can see is made of them.

const methods = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'CONNECT',
  'M-SEARCH',
  'QUERY',
  'PRI',
  'FOO',
  'get',
  'SOURCE',
  'ANNOUNCE',
  '',
]
const targets = [
  '/',
  '/a?b=c',
  '*',
  'http://a/b',
  'a:80',
  '/\x80',
  '/#x',
  '/ x',
  '/\t',
  '//',
  '/"<>\\^`{|}',
  'x',
  '?a',
  'http:/',
  '/\x7f',
  '1',
  '',
]
const versions = [
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/0.9',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/1.10',
  'http/1.1',
  'HTTP/1',
  'HTTPS/1.1',
  'RTSP/1.0',
  'ICE/1.0',
  '',
]
const lines = [
  'Host: a',
  'Content-Length: 5',
  'Content-Length: 0',
  'content-length: 005',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Content-Length: 5 ',
  'Content-Length:',
  'Content-Length: 18446744073709551616',
  'Content-Length: 0x5',
  'Content-Length: 5 5',
  'Transfer-Encoding: chunked',
  'TRANSFER-ENCODING: Chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunked\x0b',
  'Transfer-Encoding:\x0cchunked',
  'Transfer-Encoding: gzip',
  'Transfer_Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:',
  'Transfer-Encoding: chunked;a=b',
  'Transfer-Encoding: "chunked"',
  'X: y',
  'X:y',
  'X:\ty\t ',
  'X:',
  'X: \x80\xff',
  'X: a\x00b',
  'X: a\x7fb',
  'X: a\x01b',
  'X : y',
  'X\t: y',
  ' X: y',
  '\tX: y',
  ': y',
  'X',
  'X y',
  'X(: y',
  'X\x80: y',
  'X@: y',
  'X: y\r\n z',
  'X: y\rZ: a',
  'X: y\nZ: a',
  '\rX: y',
  'X"y: z',
  "!#$%&'*+-.^_`|~: y",
  'Connection: close',
  'Connection: keep-alive',
  'Connection: upgrade',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'Expect: x',
  'Trailer: A',
  'TE: trailers',
  'Proxy-Connection: x',
  'Cookie: a=b; c',
]
const ends = [
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\r\n',
  '\n\r',
]
const bodies = [
  '',
  'hello',
  'hello world',
  '5\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
  '0\r\nA: b\r\n\r\n',
  '5;a=b;c="d"\r\nhello\r\n0;x\r\nHost: x\r\nB: c\r\n\r\n',
  '0\r\nContent-Length: 5\r\n\r\n',
  '0\r\nTransfer-Encoding: chunked\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '5;\r\nhello\r\n0\r\n\r\n',
  '5; a\r\nhello\r\n0\r\n\r\n',
  '5;a=b c\r\nhello\r\n0\r\n\r\n',
  '0x5\r\nhello\r\n0\r\n\r\n',
  '5\nhello\r\n0\r\n\r\n',
  '5\r\nhello\n0\r\n\r\n',
  '5\r\nhello0\r\n\r\n',
  '5\r\nhello\r\n0\n\n',
  '5\r\nhello\r\n0\r\n\n',
  '+5\r\nhello\r\n0\r\n\r\n',
  '00000000000000005\r\nhello\r\n0\r\n\r\n',
  '0\r\nA : b\r\n\r\n',
  '0\r\n A: b\r\n\r\n',
  '0\r\nA: b\n\r\n',
  '0\r\n: b\r\n\r\n',
  '1;"a"\r\nx\r\n0\r\n\r\n',
  '1;a="\x01"\r\nx\r\n0\r\n\r\n',
  '1;a="b\r\nx\r\n0\r\n\r\n',
  '-1\r\n',
  '1;a=\r\nx\r\n0\r\n\r\n',
  '1;a="b"c\r\nx\r\n0\r\n\r\n',
  'ffffffffffffffff\r\nx',
  '1_0\r\n',
]
const statusLines = [
  'HTTP/1.1 200 OK',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 200',
  'HTTP/1.1 200 ',
  'HTTP/1.1 204 No',
  'HTTP/1.1 304 No',
  'HTTP/1.1 101 Sw',
  'HTTP/1.1 103 E',
  'HTTP/1.1 099 X',
  'HTTP/1.1 600 X',
  'HTTP/1.1 999 X',
  'HTTP/1.1 20 X',
  'HTTP/1.1 2000 X',
  'HTTP/1.1  200 OK',
  'HTTP/1.1 200\tOK',
  'HTTP/1.1 200 \x80\xff',
  'HTTP/1.1 200 a\x01b',
  'HTTP/1.1 200 a\x00b',
  'HTTP/1.1 200 a\x7fb',
  'HTTP/2.0 200 OK',
  'HTTP/0.9 200 OK',
  'HTTP/1.2 200 OK',
  'ICY 200 OK',
  'http/1.1 200 OK',
  'HTTP/1.1',
  'HTTP/1.1 200 a\rb',
  ' HTTP/1.1 200 OK',
  'HTTP/1.1 205 X',
  'HTTP/1.1 100 Continue',
  'HTTP/1.1 200  OK',
  'HTTP/1.1 2x0 OK',
  'HTTP/1.1 200-OK',
]

const breaks = ['', ' ', '  ', '\t']

/** One first choice six times as often as all others together. */
function usually<T>(first: T, all: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { arbitrary: fc.constant(first), weight: 6 },
    { arbitrary: fc.constantFrom(...all), weight: 1 },
  )
}

const end = usually('\r\n', ends)
const fields = fc
  .array(fc.tuple(fc.constantFrom(...lines), end), { maxLength: 4 })
  .map((all) => all.flat().join(''))

/** One byte put in, or in place of another, anywhere. */
function broken(text: string, at: number, byte: number, cut: number): string {
  const where = text.length === 0 ? 0 : at % text.length
  return text.slice(0, where) + String.fromCharCode(byte) + text.slice(where + cut)
}

function withMutants(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const mutant = fc.tuple(text, fc.nat(), fc.nat({ max: 255 }), fc.constantFrom(0, 1))
  return fc.oneof(
    text,
    mutant.map((parts) => broken(...parts)),
  )
}

/** Requests: every header line with every body, then random ones. The same for the same seed. */
export function requestInputs(count: number, seed: number): string[] {
  const start = fc
    .tuple(
      usually('GET', methods),
      usually(' ', breaks),
      usually('/', targets),
      usually(' ', breaks),
      usually('HTTP/1.1', versions),
      end,
    )
    .map((parts) => parts.join(''))
  const text = fc
    .tuple(
      usually('', ['\r\n', '\n', '\r\n\r\n', ' ', '\r']),
      start,
      fields,
      end,
      fc.constantFrom(...bodies),
    )
    .map((parts) => parts.join(''))
  return [
    ...methods.flatMap((method) => versions.map((version) => `${method} / ${version}\r\n\r\n`)),
    ...targets.flatMap((target) => breaks.map((gap) => `GET ${target}${gap}HTTP/1.1\r\n\r\n`)),
    ...['\r\n', '\n', '\r', '\r\n\r\n'].map((gap) => `${gap}GET / HTTP/1.1\r\n\r\n`),
    ...bodies.map((body) => `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
    ...bodies.map((body) => `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
    ...lines.flatMap((line) =>
      bodies.map((body) => `POST / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n${body}`),
    ),
    ...lines.flatMap((line) =>
      lines.map((other) => `POST / HTTP/1.1\r\n${line}\r\n${other}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`),
    ),
    ...fc.sample(withMutants(text), { numRuns: count, seed }),
  ]
}

/** Responses: every status line with every framing, every header line and every body, then random ones. */
export function responseInputs(count: number, seed: number): { text: string; method: string }[] {
  const before = ['\r\n', '\n', ' ', 'HTTP/1.1 103 E\r\n\r\n', 'HTTP/1.1 100 C\r\nX: y\r\n\r\n']
  const text = fc
    .tuple(
      usually('', before),
      usually('HTTP/1.1 200 OK', statusLines),
      end,
      fields,
      end,
      fc.constantFrom(...bodies),
    )
    .map((parts) => parts.join(''))
  const framings = ['Content-Length: 5', 'Transfer-Encoding: chunked', 'X: y']
  const chunked = '5\r\nhello\r\n0\r\n\r\n'
  const singly = [
    ...statusLines.flatMap((start) =>
      framings.flatMap((line) =>
        ['hello', chunked, ''].map((body) => `${start}\r\n${line}\r\n\r\n${body}`),
      ),
    ),
    ...lines.flatMap((line) =>
      ['hello', chunked].map((body) => `HTTP/1.1 200 OK\r\n${line}\r\n\r\n${body}`),
    ),
    ...bodies.map((body) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
  ]
  const sampled = fc.sample(withMutants(text), { numRuns: count, seed })
  return [
    ...singly.map((each) => ({ text: each, method: 'GET' })),
    ...sampled.map((each, i) => ({ text: each, method: i % 7 === 6 ? 'HEAD' : 'GET' })),
  ]
}
