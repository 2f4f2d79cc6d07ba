import { contentLength } from '../wire/content-length.ts'
import type { HeadProblem } from '../wire/head-problem.ts'
import { type RequestHead, unknownLength } from '../wire/request-head.ts'
import { transferCoding } from '../wire/transfer-coding.ts'
import type { GateSettings } from './gate-options.ts'
import { badRequest, problem } from './problem.ts'

/**
 * Judges how the request says where its body ends (RFC 9112 section 6), and writes `bodyLength`; in HTTP/2 the leg has
 * written it. Every doubt is a refusal: what two parties read differently is how requests are smuggled.
 *
 * @param hasLength - there is a Content-Length line
 * @param hasCoding - there is a Transfer-Encoding line
 */
export function judgeFraming(
  head: RequestHead,
  settings: GateSettings,
  hasLength: boolean,
  hasCoding: boolean,
): HeadProblem | undefined {
  if (head.version === 20) {
    if (hasCoding) return codingInHttp2
    if (hasLength && contentLength(head) === 'bad') return badLength
  } else {
    if (hasCoding) {
      if (hasLength) return bothFramings
      if (head.version === 10) return oldCoding
      const coding = transferCoding(head)
      if (coding === 'unsupported') return unknownCoding
      if (coding !== 'chunked') return badCoding
      head.bodyLength = unknownLength
    } else if (hasLength) {
      const length = contentLength(head)
      if (typeof length !== 'number') return badLength
      head.bodyLength = length
    } else {
      head.bodyLength = 0
      if (head.version === 10 && mustHaveBody(head.method)) return oldBody
    }
  }
  return head.bodyLength === 0 ? undefined : judgeBody(head, settings)
}

function judgeBody(head: RequestHead, settings: GateSettings): HeadProblem | undefined {
  switch (head.method) {
    case 'TRACE':
      return bodyOfTrace
    case 'CONNECT':
      return bodyOfConnect
    case 'GET':
    case 'HEAD':
    case 'DELETE':
    case 'OPTIONS':
      return settings.unexpectedBody === 'reject' ? unexpectedBody : undefined
    default:
      return undefined
  }
}

function mustHaveBody(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH'
}

const bothFramings = badRequest('there are both Content-Length and Transfer-Encoding')
const badLength = badRequest('Content-Length is not one decimal number')
const oldCoding = badRequest('HTTP/1.0 has no Transfer-Encoding')
const badCoding = badRequest('Transfer-Encoding is not chunked, once')
const unknownCoding = problem(501, 'unsupported', 'of transfer codings only chunked is known')
const codingInHttp2 = badRequest('HTTP/2 has no Transfer-Encoding')
const oldBody = badRequest('in HTTP/1.0 this method needs a Content-Length')
const bodyOfTrace = badRequest('TRACE has no body')
const bodyOfConnect = badRequest('CONNECT has no body')
const unexpectedBody = badRequest('this method has no body here')
