import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isForbiddenTrailer } from '../../src/wire/trailer-names.ts'
import { type Message, type Reading, readRequests, readResponses } from './llhttp.ts'
import { readRequest, readResponse } from './our-reading.ts'
import { bytesOf } from './wire-text.ts'

test('probe', async () => {
  const inputs = requestInputs()
  const theirs = await readRequests(inputs.map(bytesOf))
  report(inputs, inputs.map((i) => readRequest(bytesOf(i))), theirs)
  const responses = responseInputs()
  const t2 = await readResponses(responses.map(({ text, method }) => ({ bytes: bytesOf(text), method })))
  report(responses.map((r) => `${r.method}: ${r.text}`), responses.map((r) => readResponse(bytesOf(r.text), r.method)), t2)
})
function report(inputs: string[], ours: Reading[], theirs: Reading[]): void {
  const map = new Map<string, string[]>()
  let both = 0
  inputs.forEach((text, i) => {
    const a = ours[i]!, b = theirs[i]!
    let k
    if (a.message && b.message) {
      both++
      const same = JSON.stringify({ ...a.message, trailers: [] }) === JSON.stringify({ ...b.message, trailers: [] })
      if (!same) k = 'DIFFERENT'
    } else if (a.message) k = `LAXER ${b.code}`
    else if (b.message) k = `stricter ${a.code}`
    if (k) { const l = map.get(k) ?? []; l.push(text); map.set(k, l) }
  })
  console.log(inputs.length, 'both', both)
  for (const [k, l] of [...map].sort()) console.log(k, l.length, JSON.stringify(l.sort((a, b) => a.length - b.length).slice(0, 3)))
}
void expect
void isForbiddenTrailer
void describe
type _M = Message

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'CONNECT', 'M-SEARCH', 'QUERY', 'PRI', 'FOO', 'get', 'SOURCE', 'ANNOUNCE', '']
const targets = ['/', '/a?b=c', '*', 'http://a/b', 'a:80', '/\x80', '/#x', '/ x', '/\t', '//', '/"<>\\^`{|}', 'x', '?a', 'http:/', '/\x7f', '1', '']
const versions = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/0.9', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/1.10', 'http/1.1', 'HTTP/1', 'HTTPS/1.1', 'RTSP/1.0', 'ICE/1.0', '']
const lines = [
  'Host: a', 'Content-Length: 5', 'Content-Length: 0', 'content-length: 005', 'Content-Length: 5, 5', 'Content-Length: +5', 'Content-Length: 5 ', 'Content-Length:', 'Content-Length: 18446744073709551616', 'Content-Length: 0x5', 'Content-Length: 5 5',
  'Transfer-Encoding: chunked', 'TRANSFER-ENCODING: Chunked', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: ,chunked', 'Transfer-Encoding: chunked,', 'Transfer-Encoding: chunked, chunked', 'Transfer-Encoding: identity', 'Transfer-Encoding: xchunked', 'Transfer-Encoding: chunked\x0b', 'Transfer-Encoding:\x0cchunked', 'Transfer-Encoding: gzip', 'Transfer_Encoding: chunked', 'Transfer-Encoding : chunked', 'Transfer-Encoding:', 'Transfer-Encoding: chunked;a=b', 'Transfer-Encoding: "chunked"',
  'X: y', 'X:y', 'X:\ty\t ', 'X:', 'X: \x80\xff', 'X: a\x00b', 'X: a\x7fb', 'X: a\x01b', 'X : y', 'X\t: y', ' X: y', '\tX: y', ': y', 'X', 'X y', 'X(: y', 'X\x80: y', 'X@: y', 'X: y\r\n z', 'X: y\rZ: a', 'X: y\nZ: a', '\rX: y', 'X"y: z', "!#$%&'*+-.^_`|~: y",
  'Connection: close', 'Connection: keep-alive', 'Connection: upgrade', 'Upgrade: websocket', 'Upgrade: h2c', 'Expect: 100-continue', 'Expect: x', 'Trailer: A', 'TE: trailers', 'Proxy-Connection: x', 'Cookie: a=b; c',
]
const ends = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', '\n\r']
const bodies = [
  '', 'hello', 'hello world', '5\r\nhello\r\n0\r\n\r\n', '0\r\n\r\n', '0\r\nA: b\r\n\r\n', '5;a=b;c="d"\r\nhello\r\n0;x\r\nHost: x\r\nB: c\r\n\r\n', '0\r\nContent-Length: 5\r\n\r\n', '0\r\nTransfer-Encoding: chunked\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n', '5;\r\nhello\r\n0\r\n\r\n', '5; a\r\nhello\r\n0\r\n\r\n', '5;a=b c\r\nhello\r\n0\r\n\r\n', '0x5\r\nhello\r\n0\r\n\r\n', '5\nhello\r\n0\r\n\r\n', '5\r\nhello\n0\r\n\r\n', '5\r\nhello0\r\n\r\n', '5\r\nhello\r\n0\n\n', '5\r\nhello\r\n0\r\n\n', '+5\r\nhello\r\n0\r\n\r\n', '00000000000000005\r\nhello\r\n0\r\n\r\n',
  '0\r\nA : b\r\n\r\n', '0\r\n A: b\r\n\r\n', '0\r\nA: b\n\r\n', '0\r\n: b\r\n\r\n', '1;"a"\r\nx\r\n0\r\n\r\n', '1;a="\x01"\r\nx\r\n0\r\n\r\n', '1;a="b\r\nx\r\n0\r\n\r\n', '-1\r\n', '1;a=\r\nx\r\n0\r\n\r\n', '1;a="b"c\r\nx\r\n0\r\n\r\n', 'ffffffffffffffff\r\nx', '1_0\r\n',
]
function requestInputs(): string[] {
  const end = fc.constantFrom(...ends)
  const usual = <T>(first: T, all: readonly T[]): fc.Arbitrary<T> =>
    fc.oneof({ arbitrary: fc.constant(first), weight: 6 }, { arbitrary: fc.constantFrom(...all), weight: 1 })
  const line = fc.tuple(usual('GET', methods), usual(' ', [' ', '  ', '\t', '']), usual('/', targets), usual(' ', [' ', '  ', '\t', '']), usual('HTTP/1.1', versions), end)
  const field = fc.tuple(fc.constantFrom(...lines), end)
  const head = fc.tuple(usual('', ['\r\n', '\n', '\r\n\r\n', ' ', '\r']), line, fc.array(field, { maxLength: 4 }), end, fc.constantFrom(...bodies))
    .map(([before, start, fields, last, body]) => before + start.join('') + fields.map((f) => f.join('')).join('') + last + body)
  const broken = fc.tuple(head, fc.nat(), fc.nat({ max: 255 }), fc.constantFrom(0, 1)).map(([text, at, byte, cut]) => {
    const where = text.length === 0 ? 0 : at % text.length
    return text.slice(0, where) + String.fromCharCode(byte) + text.slice(where + cut)
  })
  const single = lines.flatMap((l) => bodies.map((b) => `POST / HTTP/1.1\r\nHost: a\r\n${l}\r\n\r\n${b}`))
  const singles2 = bodies.map((b) => `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${b}`)
  return [...singles2, ...single, ...fc.sample(fc.oneof(head, broken), { numRuns: 1500, seed: 1 })]
}
const statusLines = ['HTTP/1.1 200 OK', 'HTTP/1.0 200 OK', 'HTTP/1.1 200', 'HTTP/1.1 200 ', 'HTTP/1.1 204 No', 'HTTP/1.1 304 No', 'HTTP/1.1 101 Sw', 'HTTP/1.1 103 E', 'HTTP/1.1 099 X', 'HTTP/1.1 600 X', 'HTTP/1.1 999 X', 'HTTP/1.1 20 X', 'HTTP/1.1 2000 X', 'HTTP/1.1  200 OK', 'HTTP/1.1 200\tOK', 'HTTP/1.1 200 \x80\xff', 'HTTP/1.1 200 a\x01b', 'HTTP/1.1 200 a\x00b', 'HTTP/1.1 200 a\x7fb', 'HTTP/2.0 200 OK', 'HTTP/0.9 200 OK', 'HTTP/1.2 200 OK', 'ICY 200 OK', 'http/1.1 200 OK', 'HTTP/1.1', 'HTTP/1.1 200 a\rb', ' HTTP/1.1 200 OK', 'HTTP/1.1 205 X', 'HTTP/1.1 100 Continue', 'HTTP/1.1 200  OK', 'HTTP/1.1 2x0 OK', 'HTTP/1.1 200-OK']
function responseInputs(): { text: string; method: string }[] {
  const end = fc.constantFrom(...ends)
  const usual = <T>(first: T, all: readonly T[]): fc.Arbitrary<T> =>
    fc.oneof({ arbitrary: fc.constant(first), weight: 6 }, { arbitrary: fc.constantFrom(...all), weight: 1 })
  const field = fc.tuple(fc.constantFrom(...lines), end)
  const head = fc.tuple(usual('', ['\r\n', '\n', ' ', 'HTTP/1.1 103 E\r\n\r\n', 'HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n']), fc.constantFrom(...statusLines), end, fc.array(field, { maxLength: 3 }), end, fc.constantFrom(...bodies))
    .map(([before, start, e, fields, last, body]) => before + start + e + fields.map((f) => f.join('')).join('') + last + body)
  const broken = fc.tuple(head, fc.nat(), fc.nat({ max: 255 }), fc.constantFrom(0, 1)).map(([text, at, byte, cut]) => {
    const where = text.length === 0 ? 0 : at % text.length
    return text.slice(0, where) + String.fromCharCode(byte) + text.slice(where + cut)
  })
  const singles = [...statusLines.flatMap((s) => ['Content-Length: 5', 'Transfer-Encoding: chunked', 'X: y'].flatMap((l) => ['hello', '5\r\nhello\r\n0\r\n\r\n', ''].map((b) => `${s}\r\n${l}\r\n\r\n${b}`))),
    ...lines.flatMap((l) => ['hello', '5\r\nhello\r\n0\r\n\r\n'].map((b) => `HTTP/1.1 200 OK\r\n${l}\r\n\r\n${b}`)),
    ...bodies.map((b) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${b}`)]
  return [...singles, ...fc.sample(fc.oneof(head, broken), { numRuns: 800, seed: 1 })].map((text, i) => ({ text, method: i % 7 === 6 ? 'HEAD' : 'GET' }))
}
