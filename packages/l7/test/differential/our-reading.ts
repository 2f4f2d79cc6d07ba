import { ChunkedDecoder, type ChunkSink } from '../../src/wire/chunked-decoder.ts'
import { contentLength } from '../../src/wire/content-length.ts'
import { judgeResponse } from '../../src/wire/judge-response.ts'
import { defaultHeadLimits } from '../../src/wire/limits.ts'
import { unknownLength } from '../../src/wire/request-head.ts'
import { RequestParser } from '../../src/wire/request-parser.ts'
import { ResponseParser } from '../../src/wire/response-parser.ts'
import { transferCoding } from '../../src/wire/transfer-coding.ts'
import { linesOf, textOf } from '../wire/wire-text.ts'
import type { Message, Reading } from './llhttp.ts'

/** Our codec's reading of the first message of some bytes; `code` says why there is none. */
export function readRequest(bytes: Uint8Array): Reading {
  const parser = new RequestParser(defaultHeadLimits)
  const at = parser.feed(bytes, 0, bytes.length)
  const { head, state, problem } = parser
  if (state !== 'complete') return none(problem?.message ?? 'more')
  const start = `${head.method} ${head.rawTarget} HTTP/1.${head.version - 10}`
  const lines = linesOf(head)
  const coding = transferCoding(head)
  const length = contentLength(head)
  if (coding !== 'none') {
    if (length !== undefined) return none('framing: both')
    if (head.version === 10) return none('framing: Transfer-Encoding in HTTP/1.0')
    if (coding !== 'chunked') return none(`framing: Transfer-Encoding ${coding}`)
  }
  if (length === 'bad') return none('framing: Content-Length')
  // What follows is a tunnel's.
  if (head.method === 'CONNECT') return withBody(bytes, at, start, lines, 0, false)
  const bodyLength = coding === 'chunked' ? unknownLength : (length ?? 0)
  return withBody(bytes, at, start, lines, bodyLength, false)
}

/** The same for the final response to a request of that method, without an upgrade. */
export function readResponse(bytes: Uint8Array, method: string): Reading {
  const parser = new ResponseParser(defaultHeadLimits)
  let at = 0
  for (;;) {
    at = parser.feed(bytes, at, bytes.length)
    const { head, state, problem } = parser
    if (state !== 'complete') return none(problem?.message ?? 'more')
    const misframed = judgeResponse(head, method, false)
    if (misframed !== undefined) return none(misframed.message)
    if (head.status >= 200) {
      const start = `HTTP/1.${head.version - 10} ${head.status} ${head.reason}`
      return withBody(bytes, at, start, linesOf(head), head.bodyLength, head.untilClose)
    }
    parser.next()
  }
}

function withBody(
  bytes: Uint8Array,
  at: number,
  start: string,
  lines: Message['lines'],
  length: number,
  untilClose: boolean,
): Reading {
  if (length !== unknownLength || untilClose) {
    const end = untilClose ? bytes.length : at + length
    if (end > bytes.length) return none('more body')
    return { message: { start, lines, body: textOf(bytes, at, end), trailers: [] }, code: '' }
  }
  let body = ''
  const sink: ChunkSink = { chunk: (range, from, to) => (body += textOf(range, from, to)) }
  const decoder = new ChunkedDecoder()
  decoder.feed(bytes, at, bytes.length, sink)
  if (decoder.state !== 'done') return none(decoder.problem?.message ?? 'more chunks')
  const { trailers } = decoder
  const kept = trailers === undefined ? [] : linesOf(trailers)
  return { message: { start, lines, body, trailers: kept }, code: '' }
}

function none(code: string): Reading {
  return { message: undefined, code }
}
