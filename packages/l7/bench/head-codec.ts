// What one head costs: `node packages/l7/bench/head-codec.ts`. Best of several rounds, nanoseconds.
import { Field } from '../src/wire/field.ts'
import { judgeResponse } from '../src/wire/judge-response.ts'
import { defaultHeadLimits } from '../src/wire/limits.ts'
import type { RequestHead } from '../src/wire/request-head.ts'
import { RequestParser } from '../src/wire/request-parser.ts'
import { ResponseParser } from '../src/wire/response-parser.ts'
import { writeRequestHead, writeResponseHead } from '../src/wire/write-head.ts'

const request =
  'GET /index.html?id=123 HTTP/1.1\r\n' +
  'Host: www.example.com:8080\r\n' +
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench/1.0\r\n' +
  'Accept: text/html,application/xhtml+xml\r\n' +
  'Accept-Language: en-GB,en;q=0.5\r\n' +
  'Accept-Encoding: gzip, deflate\r\n' +
  'Cookie: session=0123456789abc\r\n' +
  'Connection: keep-alive\r\n\r\n'
const response =
  'HTTP/1.1 200 OK\r\n' +
  'Server: example/1.0\r\n' +
  'Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n' +
  'Content-Type: text/html; charset=utf-8\r\n' +
  'Content-Length: 1024\r\n' +
  'ETag: "5f2b-1a2b3c4d"\r\n' +
  'Cache-Control: max-age=3600\r\n' +
  'Connection: keep-alive\r\n\r\n'

const slab = Buffer.alloc(65_536)
const requestEnd = slab.write(request, 0, 'latin1')
const responseStart = 2048
const responseEnd = responseStart + slab.write(response, responseStart, 'latin1')
const plain = new Uint8Array(slab.buffer, slab.byteOffset, slab.length)
const out = new Uint8Array(65_536)

const requests = new RequestParser(defaultHeadLimits)
const responses = new ResponseParser(defaultHeadLimits)

function parse(bytes: Uint8Array): RequestHead {
  requests.next()
  requests.feed(bytes, 0, requestEnd)
  if (requests.state !== 'complete') throw new Error(requests.problem?.message ?? requests.state)
  return requests.head
}

function rewrite(head: RequestHead): number {
  head.authority = 'www.example.com:8080'
  head.path = '/index.html'
  head.query = 'id=123'
  head.dropField(Field.host)
  head.dropField(Field.connection)
  head.add('X-Forwarded-For', '192.0.2.10')
  head.add('Via', '1.1 steelyard')
  return writeRequestHead(out, 0, head, 0, '')
}

const runs: Record<string, () => void> = {
  'request: parse': () => void parse(plain),
  'request: parse (Buffer)': () => void parse(slab),
  'request: parse, edit, write': () => void rewrite(parse(plain)),
  'response: parse, judge': () => {
    responses.next()
    responses.feed(plain, responseStart, responseEnd)
    judgeResponse(responses.head, 'GET', false)
  },
  'response: parse, judge, write': () => {
    responses.next()
    responses.feed(plain, responseStart, responseEnd)
    const { head } = responses
    judgeResponse(head, 'GET', false)
    head.dropField(Field.connection)
    head.dropField(Field.contentLength)
    writeResponseHead(out, 0, head, head.bodyLength, false, 11, '')
  },
  'request: parse, in two ranges': () => {
    requests.next()
    requests.feed(plain, 0, 100)
    requests.feed(plain, 100, requestEnd)
  },
}

console.log(`request head ${requestEnd} bytes, response head ${responseEnd - responseStart} bytes`)
const rounds = 8
const perRound = 200_000
const best = new Map<string, number>()
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of Object.entries(runs)) {
    const began = process.hrtime.bigint()
    for (let i = 0; i < perRound; i++) run()
    const each = Number(process.hrtime.bigint() - began) / perRound
    best.set(name, Math.min(best.get(name) ?? Infinity, each))
  }
}
for (const [name, each] of best) console.log(`${name.padEnd(32)} ${each.toFixed(0)} ns`)
