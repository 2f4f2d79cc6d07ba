import type { ConnectionFacts } from '../../src/exchange/connection-facts.ts'
import type { GateOptions } from '../../src/gate/gate-options.ts'
import { gateSettings } from '../../src/gate/gate-options.ts'
import { judgeRequest } from '../../src/gate/judge-request.ts'
import type { HeadProblem } from '../../src/wire/head-problem.ts'
import { defaultHeadLimits } from '../../src/wire/limits.ts'
import { RequestHead } from '../../src/wire/request-head.ts'
import { RequestParser } from '../../src/wire/request-parser.ts'
import { ResponseHead } from '../../src/wire/response-head.ts'

/** A text's characters as bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}

/** A head through the real parser; its problem when it fails. */
export function parsed(bytes: Uint8Array): RequestHead | HeadProblem | undefined {
  const parser = new RequestParser(defaultHeadLimits)
  parser.feed(bytes, 0, bytes.length)
  return parser.state === 'complete' ? parser.head : parser.problem
}

/** A head of lines, which must be right by syntax. */
export function headOf(...lines: string[]): RequestHead {
  const head = parsed(bytesOf(`${lines.join('\r\n')}\r\n\r\n`))
  if (head instanceof RequestHead) return head
  throw new Error(`no head: ${head?.message}`)
}

/** A head as an HTTP/2 leg makes it. */
export function h2Head(
  init: { method?: string; path?: string; authority?: string; upgrade?: string; length?: number },
  ...fields: [name: string, value: string][]
): RequestHead {
  const head = new RequestHead()
  head.version = 20
  head.method = init.method ?? 'GET'
  head.targetScheme = 'https'
  const path = bytesOf(init.path ?? '/')
  head.reserve(path.length)
  head.bytes.set(path, 0)
  head.targetEnd = path.length
  head.used = path.length
  head.upgrade = init.upgrade ?? ''
  head.bodyLength = init.length ?? 0
  if (init.authority !== undefined) head.add('host', init.authority)
  for (const [name, value] of fields) head.add(name, value)
  return head
}

/** A head that was judged good. */
export function judged(options: GateOptions | undefined, ...lines: string[]): RequestHead {
  const head = headOf(...lines)
  const problem = judgeRequest(head, gateSettings(options))
  if (problem !== undefined) throw new Error(`refused: ${problem.message}`)
  return head
}

/** The status by which the parser or the gate refuses; undefined when neither does. */
export function refused(options: GateOptions | undefined, ...lines: string[]): number | undefined {
  const head = parsed(bytesOf(`${lines.join('\r\n')}\r\n\r\n`))
  if (!(head instanceof RequestHead)) return head?.status
  return judgeRequest(head, gateSettings(options))?.status
}

/** A connection of 203.0.113.9 to port 8080. */
export function connectionOf(init: Partial<ConnectionFacts> = {}): ConnectionFacts {
  const client = { address: '203.0.113.9', port: 40_000, family: 4 } as const
  return {
    id: 1,
    client,
    peer: client,
    local: { address: '198.51.100.1', port: 8080, family: 4 },
    tls: undefined,
    trusted: false,
    covers: undefined,
    ...init,
  }
}

/** A response of a backend. */
export function responseOf(
  status: number,
  ...fields: [name: string, value: string][]
): ResponseHead {
  const head = new ResponseHead()
  head.status = status
  for (const [name, value] of fields) head.add(name, value)
  return head
}

/** The lines of a head as text, as they would be sent. */
export function linesOf(head: RequestHead | ResponseHead): string[] {
  const bytes = new Uint8Array(head.used)
  const end = head.writeLines(bytes, 0)
  return Buffer.from(bytes.subarray(0, end)).toString('latin1').split('\r\n').slice(0, -1)
}
