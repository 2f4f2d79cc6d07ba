import type { ConnectionFacts } from '../exchange/connection-facts.ts'
import { Field } from '../wire/field.ts'
import { copyRange, Head } from '../wire/head.ts'
import type { HeadProblem } from '../wire/head-problem.ts'
import { putLatin1 } from '../wire/latin1.ts'
import type { RequestHead } from '../wire/request-head.ts'
import { certificateFields, claimedFields } from './claimed-fields.ts'
import { dropListed } from './connection-options.ts'
import { forwardedElement } from './forwarded-element.ts'
import { type ForwardedLines, linesFor } from './forwarded-lines.ts'
import type { ForwardingSettings } from './forwarding-options.ts'
import { problem } from './problem.ts'
import { trustedClient } from './trusted-client.ts'

export type { ForwardingSettings } from './forwarding-options.ts'

/** What {@link prepareRequest} goes by. */
export interface ForwardedRequest {
  readonly connection: ConnectionFacts
  /** As the client sent it, and judged. */
  readonly head: RequestHead
  readonly forwarded: ForwardedLines
}

const keep = 0
const drop = 1
/** Dropped unless the peer is trusted. */
const claim = 2

/** What becomes of a field of {@link Field}, by its number. */
const fates: Uint8Array = makeFates()

function makeFates(): Uint8Array {
  const table = new Uint8Array(Math.max(...Object.values(Field)) + 1).fill(keep)
  for (const id of [
    Field.host,
    Field.contentLength,
    Field.transferEncoding,
    Field.connection,
    Field.upgrade,
    Field.te,
    Field.trailer,
    Field.keepAlive,
    Field.proxyConnection,
    Field.proxyAuthorization,
    Field.proxyAuthenticate,
    Field.http2Settings,
  ]) {
    table[id] = drop
  }
  for (const id of [
    Field.forwarded,
    Field.xForwardedFor,
    Field.xForwardedProto,
    Field.xForwardedHost,
    Field.xForwardedPort,
    Field.xForwardedPrefix,
    Field.xRealIp,
  ]) {
    table[id] = claim
  }
  return table
}

/**
 * Makes of a client's head what goes to a backend: drops what was between the client and us (RFC 9110 section 7.6.1),
 * the lines of the framing and of Host, which the backend's leg writes, and what untrusted peers claim about the
 * client; adds what we say about it, `te: trailers` for clients that take trailers, and our line in Via.
 *
 * @param out - an overlay of the client's head, its request fields copied; with `expectsContinue` Expect is sent on
 * @returns a problem with status 508 when the request has come by us too often
 */
export function prepareRequest(
  out: RequestHead,
  x: ForwardedRequest,
  settings: ForwardingSettings,
): HeadProblem | undefined {
  const { connection, head, forwarded } = x
  const { trusted } = connection
  if (settings.viaRequests && loops(head, settings)) return looping
  if (head.indexOf(Field.connection) >= 0) dropListed(out)
  dropLines(out, trusted, settings)
  if (head.acceptsTrailers) out.append(teTrailers)
  if (trusted) tellTrusted(out, x, settings)
  out.append(linesFor(forwarded, connection, head, settings))
  return undefined
}

function dropLines(out: RequestHead, trusted: boolean, settings: ForwardingSettings): void {
  const { ids, ranges, bytes, count } = out
  const unknown = trusted
    ? settings.certificate.length > 0
      ? certificateFields
      : undefined
    : claimedFields
  for (let i = 0; i < count; i++) {
    const id = ids[i]!
    if (id === 0) {
      if (unknown?.has(bytes, ranges[i * 4]!, ranges[i * 4 + 1]!) === true) ids[i] = -1
    } else if (id > 0) {
      const fate = fates[id]
      if (fate === drop || (fate === claim && !trusted)) ids[i] = -1
      else if (id === Field.expect && !out.expectsContinue) ids[i] = -1
    }
  }
}

/** A trusted peer has told of the client already: lists go on, and what it said stays. */
function tellTrusted(
  out: RequestHead,
  { connection, head, forwarded }: ForwardedRequest,
  settings: ForwardingSettings,
): void {
  const { address, proto, port } = forwarded
  if (settings.xFor) joinLines(out, Field.xForwardedFor, 'X-Forwarded-For', address)
  if (settings.xProto && out.indexOf(Field.xForwardedProto) < 0) out.add('X-Forwarded-Proto', proto)
  if (settings.xHost && out.indexOf(Field.xForwardedHost) < 0 && head.authority !== '') {
    out.add('X-Forwarded-Host', head.authority)
  }
  if (settings.xPort && out.indexOf(Field.xForwardedPort) < 0 && port !== '') {
    out.add('X-Forwarded-Port', port)
  }
  if (settings.realIp) {
    // Not all proxies that append to X-Forwarded-For replace this one.
    out.dropField(Field.xRealIp)
    const client = trustedClient(head, connection, settings.trust)
    if (client !== '' && connection.client.family !== 'unix') out.add('X-Real-IP', client)
  }
  if (settings.rfc7239) {
    const element = forwardedElement(address, proto, head.authority)
    joinLines(out, Field.forwarded, 'Forwarded', element)
  }
}

/** Makes one line of all lines of a field, with one more element at its end; does nothing when that is empty. */
function joinLines(out: Head, id: number, name: string, last: string): void {
  let room = name.length + last.length + 6
  let lines = 0
  for (let i = out.indexOf(id); i >= 0; i = out.indexOf(id, i + 1)) {
    room += out.ranges[i * 4 + 3]! - out.ranges[i * 4 + 2]! + 2
    lines += 1
  }
  if (last === '') return
  if (lines === 0) {
    out.add(name, last)
    return
  }
  out.reserve(room)
  const { bytes, ranges } = out
  const start = out.used
  const nameEnd = putLatin1(bytes, start, name)
  const valueStart = putLatin1(bytes, nameEnd, ': ')
  let end = valueStart
  for (let i = out.indexOf(id); i >= 0; i = out.indexOf(id, i + 1)) {
    const from = ranges[i * 4 + 2]!
    const to = ranges[i * 4 + 3]!
    if (from < to) {
      if (end > valueStart) end = putLatin1(bytes, end, ', ')
      end = copyRange(bytes, from, to, bytes, end)
    }
    out.drop(i)
  }
  if (end > valueStart) end = putLatin1(bytes, end, ', ')
  end = putLatin1(bytes, end, last)
  out.used = putLatin1(bytes, end, '\r\n')
  out.addLine(start, nameEnd, valueStart, end, id)
}

/** How often our own name stands in Via, where only we write it. */
function loops(head: Head, { pseudonym, maxLoops }: ForwardingSettings): boolean {
  let count = 0
  for (let i = head.indexOf(Field.via); i >= 0; i = head.indexOf(Field.via, i + 1)) {
    for (const element of head.valueAt(i).split(',')) {
      if (element.trim().split(/[ \t]+/, 2)[1] === pseudonym) count += 1
    }
  }
  return count > maxLoops
}

const teTrailers: Head = new Head(32, 1)
teTrailers.add('TE', 'trailers')
const looping = problem(508, 'loop-detected', 'the request has come by here too often')
