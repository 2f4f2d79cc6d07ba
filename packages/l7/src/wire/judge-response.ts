import { contentLength } from './content-length.ts'
import { Field } from './field.ts'
import type { HeadProblem } from './head-problem.ts'
import { listHas } from './list.ts'
import { unknownLength } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'
import { transferCoding } from './transfer-coding.ts'

/**
 * Finds out how a response's body is framed and whether its connection may serve again (RFC 9112 sections 6.3 and
 * 9.3), and writes it into the head: `bodyLength`, `untilClose`, `keepAlive`. Where the standard lets a recipient
 * repair, this refuses: who sends two lengths may mean either.
 *
 * @param requestMethod - of the request that it answers
 * @param upgrade - the request asked for another protocol
 * @returns why the response cannot be taken; always with status 502
 */
export function judgeResponse(
  head: ResponseHead,
  requestMethod: string,
  upgrade: boolean,
): HeadProblem | undefined {
  head.bodyLength = 0
  head.untilClose = false
  head.keepAlive = false
  const { status } = head
  if (status === 101 && (!upgrade || head.version === 10)) {
    return badResponse('101, though no other protocol was asked for')
  }
  if (requestMethod === 'CONNECT' && status >= 200 && status < 300) {
    return badResponse(`${status} to CONNECT: tunnels are not opened that way`)
  }
  const coding = transferCoding(head)
  const declared = contentLength(head)
  if (coding !== 'none') {
    if (declared !== undefined) return badResponse('both Content-Length and Transfer-Encoding')
    if (head.version === 10) return badResponse('Transfer-Encoding in HTTP/1.0')
    if (coding !== 'chunked') return badResponse('Transfer-Encoding is not `chunked`')
  }
  if (declared === 'bad') return badResponse('Content-Length is not one number')
  const keepAlive =
    !listHas(head, Field.connection, 'close') &&
    (head.version !== 10 || listHas(head, Field.connection, 'keep-alive'))
  if (status < 200 || status === 204) {
    // Neither may speak of a body: whoever does may send one, and the next response would begin with it.
    head.keepAlive = keepAlive && coding === 'none' && (declared ?? 0) === 0
    return undefined
  }
  if (requestMethod === 'HEAD' || status === 304) {
    head.keepAlive = keepAlive
    return undefined
  }
  if (coding === 'none' && declared === undefined) {
    head.bodyLength = unknownLength
    head.untilClose = true
    return undefined
  }
  head.bodyLength = declared ?? unknownLength
  head.keepAlive = keepAlive
  return undefined
}

function badResponse(fault: string): HeadProblem {
  return { status: 502, code: 'bad-response', message: `response head: ${fault}` }
}
