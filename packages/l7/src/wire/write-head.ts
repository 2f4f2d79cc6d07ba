import { ascii } from './ascii.ts'
import { copyRange, type Head } from './head.ts'
import { putOctets } from './latin1.ts'
import { expectsBody } from './method.ts'
import { putDecimal, putHex } from './number-text.ts'
import { targetOctet, tokenOctet, valueOctet } from './octet-class.ts'
import { reasonOf, statusLine } from './reason.ts'
import { type BodyLength, type RequestHead, unknownLength } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'

/** What ends a line. */
export const crlf: Uint8Array = ascii('\r\n')

const behindTarget = ascii(' HTTP/1.1\r\nHost: ')
const contentLengthName = ascii('Content-Length: ')
const chunkedLine = ascii('Transfer-Encoding: chunked\r\n')
const upgradeLines = ascii('Connection: upgrade\r\nUpgrade: ')
const closeLine = ascii('Connection: close\r\n')
const keepAliveLine = ascii('Connection: keep-alive\r\n')
const connectionUpgradeLine = ascii('Connection: upgrade\r\n')

/** More than all constant pieces of a head, with a Content-Length, need together. */
const constantRoom = 160
/** The longest name of a protocol to upgrade to. */
const maxUpgrade = 64

/** How a response's connection goes on, as it is told to the client; empty for no word. */
export type ConnectionOption = 'keep-alive' | 'close' | 'upgrade' | ''

/** Bytes that {@link writeRequestHead} needs at most. */
export function requestHeadRoom(head: RequestHead): number {
  const query = head.query === undefined ? 0 : head.query.length
  return (
    constantRoom +
    maxUpgrade +
    head.method.length +
    head.path.length +
    query +
    // Once as Host, and for CONNECT once as the target.
    2 * head.authority.length +
    head.used
  )
}

/**
 * Writes a request's head, the empty line included: start line, Host of {@link RequestHead.authority}, the head's
 * lines, then the framing that is always ours (RFC 9112 section 6). The head has no lines for Host, framing,
 * Connection and Upgrade left. The caller has made {@link requestHeadRoom}.
 *
 * @param length - of the body: a number, or unknown for `chunked`, whatever the method. 0 is said aloud only for methods that are expected to have a body.
 * @param upgrade - the protocol to ask for; empty for none
 * @returns the offset behind
 * @throws RangeError when method, target, authority or protocol have characters that cannot stand there: the last guard behind everybody's own.
 */
export function writeRequestHead(
  into: Uint8Array,
  at: number,
  head: RequestHead,
  length: BodyLength,
  upgrade: string,
): number {
  const { method, authority } = head
  let end = putOctets(into, at, method, tokenOctet, 'method')
  into[end] = 0x20
  end += 1
  if (method === 'CONNECT') end = putOctets(into, end, authority, targetOctet, 'authority')
  else {
    end = putOctets(into, end, head.path, targetOctet, 'path')
    const { query } = head
    if (query !== undefined) {
      into[end] = 0x3f
      end = putOctets(into, end + 1, query, targetOctet, 'query')
    }
  }
  end = putConstant(into, end, behindTarget)
  end = putOctets(into, end, authority, targetOctet, 'authority')
  end = putCrlf(into, end)
  end = head.writeLines(into, end)
  if (length > 0 || (length === 0 && expectsBody(method))) {
    end = putContentLength(into, end, length)
  } else if (length !== 0) {
    end = putConstant(into, end, chunkedLine)
  }
  if (upgrade !== '') {
    if (upgrade.length > maxUpgrade) throw new RangeError('a protocol name of too many characters')
    end = putConstant(into, end, upgradeLines)
    end = putCrlf(into, putOctets(into, end, upgrade, valueOctet, 'upgrade'))
  }
  return putCrlf(into, end)
}

/** Bytes that {@link writeResponseHead} needs at most. */
export function responseHeadRoom(head: ResponseHead): number {
  return constantRoom + head.reason.length + head.used
}

/**
 * Writes a response's head, the empty line included: a status line with our own version, the head's lines, then
 * framing and Connection. The head has no lines for framing and Connection left; with 101 it keeps its Upgrade. The
 * caller has made {@link responseHeadRoom}.
 *
 * @param length - of the body: a number; or unknown, which is `chunked` for a client of version 11, and for one of version 10 a body that ends with the connection
 * @param noBody - the answer to HEAD, or 304: the length is what it would be; unknown is not said
 * @param version - the client's, 10 or 11
 * @returns the offset behind
 * @throws RangeError for a status that is none, or a reason phrase with what cannot stand in one.
 */
export function writeResponseHead(
  into: Uint8Array,
  at: number,
  head: ResponseHead,
  length: BodyLength,
  noBody: boolean,
  version: 10 | 11,
  connection: ConnectionOption,
): number {
  const { status, reason } = head
  let end = putStatusLine(into, at, status, reason)
  end = head.writeLines(into, end)
  let option = connection
  if (status >= 200 && status !== 204) {
    if (length !== unknownLength) end = putContentLength(into, end, length)
    else if (!noBody) {
      if (version === 11) end = putConstant(into, end, chunkedLine)
      // Only its end can end such a body, whatever was asked for.
      else option = 'close'
    }
  }
  if (option === 'close') end = putConstant(into, end, closeLine)
  else if (option === 'keep-alive') end = putConstant(into, end, keepAliveLine)
  else if (option === 'upgrade') end = putConstant(into, end, connectionUpgradeLine)
  return putCrlf(into, end)
}

function putStatusLine(into: Uint8Array, at: number, status: number, reason: string): number {
  const usual = statusLine(status)
  if (reason === '' || reason === reasonOf(status)) return putConstant(into, at, usual)
  // `HTTP/1.1 200 `
  const end = putOctets(into, copyRange(usual, 0, 13, into, at), reason, valueOctet, 'reason')
  return putCrlf(into, end)
}

function putContentLength(into: Uint8Array, at: number, length: number): number {
  return putCrlf(into, putDecimal(into, putConstant(into, at, contentLengthName), length))
}

function putConstant(into: Uint8Array, at: number, constant: Uint8Array): number {
  const { length } = constant
  for (let i = 0; i < length; i++) into[at + i] = constant[i]!
  return at + length
}

function putCrlf(into: Uint8Array, at: number): number {
  into[at] = 0x0d
  into[at + 1] = 0x0a
  return at + 2
}

/** Ends a chunked body without trailers. */
export const lastChunk: Uint8Array = ascii('0\r\n\r\n')

/**
 * Writes what comes before a chunk's bytes: its length and CRLF. Behind them the caller writes `crlf`.
 *
 * @param length - 1 to 2^32 - 1: a chunk of none would end the body
 * @returns the offset behind, at most 10 bytes further
 */
export function writeChunkSize(into: Uint8Array, at: number, length: number): number {
  if (length === 0) throw new RangeError('a chunk of no bytes would end the body')
  const end = putHex(into, at, length)
  into[end] = 0x0d
  into[end + 1] = 0x0a
  return end + 2
}

/** Bytes that {@link writeLastChunk} needs at most. */
export function lastChunkRoom(trailers: Head | undefined): number {
  return lastChunk.length + (trailers === undefined ? 0 : trailers.size)
}

/** Writes the end of a chunked body; returns the offset behind. Trailers with forbidden names are gone already. */
export function writeLastChunk(into: Uint8Array, at: number, trailers: Head | undefined): number {
  into[at] = 0x30
  into[at + 1] = 0x0d
  into[at + 2] = 0x0a
  const end = trailers === undefined ? at + 3 : trailers.writeLines(into, at + 3)
  into[end] = 0x0d
  into[end + 1] = 0x0a
  return end + 2
}
