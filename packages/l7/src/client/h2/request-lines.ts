import { Field, fieldIdOf } from '../../wire/field.ts'
import type { Head } from '../../wire/head.ts'
import type { HeadProblem } from '../../wire/head-problem.ts'
import { putLatin1 } from '../../wire/latin1.ts'
import { isMethod } from '../../wire/method.ts'
import { type RequestHead, unknownLength } from '../../wire/request-head.ts'
import { isForbiddenTrailer } from '../../wire/trailer-names.ts'
import { declaredLength, isConnectionField, isFieldName, isFieldValue } from './field-rules.ts'

/** What {@link readRequest} goes by. */
export interface RequestRules {
  /** Header fields, each cookie crumb counted, pseudo-header fields not. */
  readonly maxPairs: number
}

/**
 * Turns the fields of a request's HEADERS, names and values in turn as they came, into a head that every other part
 * of the proxy understands, as if it had come by HTTP/1.1. What could mean something else there is refused, though
 * the layer below should have refused most of it: RFC 9113 sections 8.1.1, 8.2, 8.3.1 and 10.3; RFC 8441.
 *
 * @param bodyless - END_STREAM came with the head.
 * @returns why it is refused; what was read until then is in the head.
 */
export function readRequest(
  raw: readonly string[],
  bodyless: boolean,
  head: RequestHead,
  rules: RequestRules,
): HeadProblem | undefined {
  head.version = 20
  let method: string | undefined
  let scheme: string | undefined
  let authority: string | undefined
  let path: string | undefined
  let protocol: string | undefined
  let start = 0
  for (; start < raw.length; start += 2) {
    const name = raw[start]!
    if (name.charCodeAt(0) !== colon) break
    const value = raw[start + 1]!
    if (!isFieldValue(value)) return problems.pseudoValue
    switch (name) {
      case ':method':
        if (method !== undefined) return problems.repeatedPseudo
        method = value
        break
      case ':scheme':
        if (scheme !== undefined) return problems.repeatedPseudo
        scheme = value
        break
      case ':authority':
        if (authority !== undefined) return problems.repeatedPseudo
        authority = value
        break
      case ':path':
        if (path !== undefined) return problems.repeatedPseudo
        path = value
        break
      case ':protocol':
        if (protocol !== undefined) return problems.repeatedPseudo
        protocol = value
        break
      default:
        return problems.unknownPseudo
    }
  }
  if (method === undefined) return problems.noMethod
  if (!isMethod(method)) return problems.unknownMethod
  head.method = method
  if (protocol !== undefined && method !== 'CONNECT') return problems.protocol
  if (protocol === undefined && method === 'CONNECT') return problems.connect
  if (scheme === undefined || path === undefined || path === '') return problems.noTarget
  const lowerScheme = scheme.toLowerCase()
  if (lowerScheme !== 'https' && lowerScheme !== 'http') return problems.scheme
  head.targetScheme = lowerScheme
  head.reserve(path.length)
  head.targetStart = head.used
  head.targetEnd = putLatin1(head.bytes, head.used, path)
  head.used = head.targetEnd
  if (authority !== undefined) head.add('host', authority)
  const problem = readFields(raw, start, head, rules)
  if (problem !== undefined) return problem
  if (protocol !== undefined) return readProtocol(head, protocol)
  if (bodyless) {
    if (head.bodyLength > 0) return problems.lengthWithoutBody
    head.bodyLength = 0
  }
  return undefined
}

function readFields(
  raw: readonly string[],
  start: number,
  head: RequestHead,
  rules: RequestRules,
): HeadProblem | undefined {
  const pairs = (raw.length - start) / 2
  if (pairs > rules.maxPairs) return problems.tooMany
  const authority = head.indexOf(Field.host)
  let cookie = false
  let length = unknownLength
  for (let i = start; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    if (!isFieldName(name)) {
      return name.charCodeAt(0) === colon ? problems.latePseudo : problems.name
    }
    if (!isFieldValue(value)) return problems.value
    switch (fieldIdOf(name)) {
      case Field.connection:
      case Field.keepAlive:
      case Field.proxyConnection:
      case Field.transferEncoding:
      case Field.upgrade:
      case Field.http2Settings:
        return problems.connectionField
      case Field.te:
        if (value.toLowerCase() !== 'trailers') return problems.te
        break
      case Field.host:
        if (authority >= 0) {
          if (head.valueAt(authority).toLowerCase() !== value.toLowerCase())
            return problems.twoHosts
          continue
        }
        break
      case Field.contentLength: {
        const declared = declaredLength(value)
        if (declared === undefined) return problems.length
        if (length !== unknownLength) return problems.twoLengths
        length = declared
        break
      }
      case Field.cookie:
        // The crumbs become one line, where the first one stood (RFC 9113 section 8.2.3).
        if (cookie) continue
        cookie = true
        if (!addCookie(raw, i, head)) return problems.value
        continue
      default:
    }
    head.add(name, value)
  }
  head.bodyLength = length
  return undefined
}

function addCookie(raw: readonly string[], first: number, head: RequestHead): boolean {
  let cookie = raw[first + 1]!
  for (let i = first + 2; i < raw.length; i += 2) {
    if (raw[i] !== 'cookie') continue
    const crumb = raw[i + 1]!
    if (!isFieldValue(crumb)) return false
    if (crumb !== '') cookie = cookie === '' ? crumb : `${cookie}; ${crumb}`
  }
  head.add('cookie', cookie)
  return true
}

function readProtocol(head: RequestHead, protocol: string): HeadProblem | undefined {
  if (head.indexOf(Field.contentLength) >= 0) return problems.connectLength
  head.upgrade = protocol.toLowerCase()
  if (!isFieldName(head.upgrade)) return problems.protocol
  // What follows the head is the tunnel's.
  head.bodyLength = 0
  return undefined
}

/**
 * Makes an extended CONNECT what HTTP/1.1 would have asked by Upgrade, so that the rest of the proxy knows one
 * kind of it (RFC 8441 section 5). HTTP/2 has no Sec-WebSocket-Key; a backend that speaks HTTP/1.1 asks for one.
 */
export function asUpgrade(head: RequestHead, webSocketKey: () => string): void {
  head.method = 'GET'
  head.add('upgrade', head.upgrade)
  if (head.upgrade !== 'websocket') return
  head.dropField(Field.secWebSocketKey)
  head.add('sec-websocket-key', webSocketKey())
}

/**
 * Fills a head with the fields of trailers; names that may not stand there are dropped.
 *
 * @returns false when they are no fields that may be sent on.
 */
export function readTrailers(raw: readonly string[], head: Head): boolean {
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    if (!isFieldName(name) || !isFieldValue(value) || isConnectionField(fieldIdOf(name)))
      return false
    if (!isForbiddenTrailer(name)) head.add(name, value)
  }
  return true
}

const colon = 0x3a

const bad = (message: string): HeadProblem =>
  Object.freeze({ status: 400, code: 'bad-request', message })

/** Made once: a flood of bad requests costs no objects, and nothing that a client says comes back to it. */
const problems = {
  pseudoValue: bad('a pseudo-header field has a value with control characters or blank edges'),
  repeatedPseudo: bad('a pseudo-header field stands there twice'),
  unknownPseudo: bad('a pseudo-header field is unknown'),
  latePseudo: bad('a pseudo-header field follows a regular one'),
  noMethod: bad('there is no :method'),
  unknownMethod: Object.freeze({
    status: 501,
    code: 'unsupported',
    message: 'the method is unknown',
  }) satisfies HeadProblem,
  connect: Object.freeze({
    status: 405,
    code: 'unsupported',
    message: 'CONNECT without :protocol is not served',
  }) satisfies HeadProblem,
  protocol: bad(':protocol is no token, or stands with another method than CONNECT'),
  noTarget: bad('there is no :scheme, or no :path'),
  scheme: bad('the :scheme is neither http nor https'),
  tooMany: Object.freeze({
    status: 431,
    code: 'head-too-large',
    message: 'there are too many header fields',
  }) satisfies HeadProblem,
  name: bad('a field name is empty or has other characters than a lower-case token'),
  value: bad('a field value has control characters or blank edges'),
  connectionField: bad('there is a field that belongs to HTTP/1.1 connections'),
  te: bad('TE has another value than trailers'),
  twoHosts: bad('Host and :authority differ, or there are two Hosts'),
  length: bad('the content-length is not a number'),
  twoLengths: bad('there are two content-lengths'),
  lengthWithoutBody: bad('there is a content-length, but no body'),
  connectLength: bad('a tunnel has no content-length'),
} as const
