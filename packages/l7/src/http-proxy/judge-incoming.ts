import type { IncomingMessage } from 'node:http'
import { gateSettings } from '../gate/gate-options.ts'
import { judgeRequest } from '../gate/judge-request.ts'
import { badRequest } from '../gate/problem.ts'
import type { HeadProblem } from '../wire/head-problem.ts'
import { judgeResponse } from '../wire/judge-response.ts'
import { putOctets } from '../wire/latin1.ts'
import { targetOctet } from '../wire/octet-class.ts'
import { type RequestHead, unknownLength } from '../wire/request-head.ts'
import type { ResponseHead } from '../wire/response-head.ts'

// Programs that switch have paths and names of fields that work today; what smuggles is refused whatever is chosen.
const gate = gateSettings({ encodedSlash: 'keep', underscores: 'keep', maxPathLength: '64KiB' })

/**
 * Judges what a Node server has parsed by the rules of the gate: Node takes two Hosts, lists of codings and fragments,
 * which others read differently.
 *
 * @param head - becomes the request's, judged.
 * @returns why the request may not pass, or undefined.
 */
export function judgeIncoming(req: IncomingMessage, head: RequestHead): HeadProblem | undefined {
  head.reset()
  head.method = req.method ?? ''
  const stream = http2Stream(req)
  // Node takes a request line that says HTTP/2.0 for one.
  head.version =
    stream !== undefined ? 20 : req.httpVersionMajor === 1 ? 10 + req.httpVersionMinor : 0
  const url = urlOf(req)
  try {
    head.reserve(url.length)
    head.targetStart = head.used
    head.targetEnd = putOctets(head.bytes, head.used, url, targetOctet, 'target')
    head.used = head.targetEnd
    if (stream !== undefined) addHttp2Lines(req, head)
    else addLines(req.rawHeaders, head)
  } catch (error) {
    if (error instanceof RangeError) return badBytes
    throw error
  }
  if (stream !== undefined) {
    const declared = req.headers['content-length']
    head.bodyLength = stream.endAfterHeaders
      ? 0
      : declared === undefined
        ? unknownLength
        : Number(declared)
  }
  return judgeRequest(head, gate)
}

/** The same for a response, by the rules that our own client goes by. */
export function judgeAnswer(
  answer: IncomingMessage,
  head: ResponseHead,
  method: string,
  upgrade: boolean,
): string | undefined {
  head.reset()
  head.status = answer.statusCode ?? 0
  head.version = answer.httpVersion === '1.0' ? 10 : 11
  try {
    addLines(answer.rawHeaders, head)
  } catch (error) {
    if (error instanceof RangeError) return error.message
    throw error
  }
  return judgeResponse(head, method, upgrade)?.message
}

/** The URL as it is judged and sent: middleware that takes a prefix off may leave no slash. */
export function urlOf(req: IncomingMessage): string {
  const url = req.url ?? '/'
  return url.startsWith('/') || url === '*' || /^https?:\/\//i.test(url) ? url : `/${url}`
}

/** Of requests that `node:http2` shows as HTTP/1.1 ones. */
export function http2Stream(
  req: IncomingMessage,
): { readonly endAfterHeaders: boolean } | undefined {
  if (req.httpVersionMajor !== 2) return undefined
  const { stream } = req as { stream?: unknown }
  return typeof stream === 'object' && stream !== null && 'endAfterHeaders' in stream
    ? (stream as { readonly endAfterHeaders: boolean })
    : undefined
}

function addLines(raw: readonly string[], head: RequestHead | ResponseHead): void {
  for (let i = 0; i + 1 < raw.length; i += 2) head.add(raw[i]!, raw[i + 1]!)
}

function addHttp2Lines(req: IncomingMessage, head: RequestHead): void {
  const authority = req.headers[':authority']
  if (typeof authority === 'string') head.add('host', authority)
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i]!
    if (name.startsWith(':') || (name === 'host' && authority !== undefined)) continue
    head.add(name, req.rawHeaders[i + 1]!)
  }
}

const badBytes = badRequest('the head has a character that may not stand there')
