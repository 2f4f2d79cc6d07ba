import { Field } from '../wire/field.ts'
import type { HeadProblem } from '../wire/head-problem.ts'
import { lowerLatin1 } from '../wire/latin1.ts'
import { dropBlanks, elementEnd, listHas, rangeIs, skipBlanks } from '../wire/list.ts'
import type { RequestHead } from '../wire/request-head.ts'
import type { GateSettings } from './gate-options.ts'
import { badRequest, problem } from './problem.ts'

/**
 * Judges the wish to go on in another protocol (RFC 9110 section 7.8), and writes `upgrade`: the first protocol that
 * may pass, or none. Wishes that may not pass, `h2c` among them, are as if not there. HTTP/2's extended CONNECT (RFC
 * 8441) comes as the HTTP/1.1 request that it stands for, with `:protocol` in `upgrade` already.
 */
export function judgeUpgrade(head: RequestHead, settings: GateSettings): HeadProblem | undefined {
  if (head.version === 20) return judgeProtocol(head, settings)
  head.upgrade = ''
  // HTTP/1.0 has no Upgrade, and without the Connection option the field was meant for somebody else.
  if (head.version === 10 || !listHas(head, Field.connection, 'upgrade')) return undefined
  const wanted = firstAllowed(head, settings.upgrades)
  if (wanted === '') return undefined
  if (head.bodyLength !== 0) return upgradeWithBody
  head.upgrade = wanted
  return wanted === 'websocket' ? judgeWebSocket(head) : undefined
}

function judgeProtocol(head: RequestHead, settings: GateSettings): HeadProblem | undefined {
  if (head.upgrade === '') return undefined
  if (!settings.upgrades.includes(head.upgrade)) return unknownProtocol
  return head.upgrade === 'websocket' ? judgeWebSocket(head) : undefined
}

function firstAllowed(head: RequestHead, allowed: readonly string[]): string {
  const { bytes, ranges } = head
  for (
    let line = head.indexOf(Field.upgrade);
    line >= 0;
    line = head.indexOf(Field.upgrade, line + 1)
  ) {
    const end = ranges[line * 4 + 3]!
    let at = ranges[line * 4 + 2]!
    while (at < end) {
      const to = elementEnd(bytes, at, end)
      const start = skipBlanks(bytes, at, to)
      const name = lowerLatin1(bytes, start, dropBlanks(bytes, start, to))
      if (allowed.includes(name)) return name
      at = to + 1
    }
  }
  return ''
}

/** The client's half of the handshake (RFC 6455 section 4.2.1). */
function judgeWebSocket(head: RequestHead): HeadProblem | undefined {
  if (head.method !== 'GET') return notGet
  if (!isVersion13(head)) return badVersion
  const line = head.indexOf(Field.secWebSocketKey)
  if (line < 0 || head.indexOf(Field.secWebSocketKey, line + 1) >= 0) return badKey
  const { bytes, ranges } = head
  return isKey(bytes, ranges[line * 4 + 2]!, ranges[line * 4 + 3]!) ? undefined : badKey
}

function isVersion13(head: RequestHead): boolean {
  const line = head.indexOfName('sec-websocket-version')
  if (line < 0 || head.indexOfName('sec-websocket-version', line + 1) >= 0) return false
  return rangeIs(head.bytes, head.ranges[line * 4 + 2]!, head.ranges[line * 4 + 3]!, '13')
}

/** 16 bytes in base64: 22 characters and `==`, the last with its four low bits clear. */
function isKey(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== 24 || bytes[end - 1] !== 0x3d || bytes[end - 2] !== 0x3d) return false
  for (let i = start; i < end - 2; i++) {
    const byte = bytes[i]!
    const lower = byte | 32
    const letter = lower >= 0x61 && lower <= 0x7a
    const digit = byte >= 0x30 && byte <= 0x39
    if (!letter && !digit && byte !== 0x2b && byte !== 0x2f) return false
  }
  const last = bytes[end - 3]
  return last === 0x41 || last === 0x51 || last === 0x67 || last === 0x77
}

const upgradeWithBody = badRequest('a request for an upgrade has a body')
const notGet = badRequest('a WebSocket handshake is a GET')
const badVersion = badRequest('Sec-WebSocket-Version is not 13')
const badKey = badRequest('Sec-WebSocket-Key is not 16 bytes in base64')
const unknownProtocol = problem(501, 'unsupported', 'this :protocol may not pass')
