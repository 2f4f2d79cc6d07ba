import { Field } from '../wire/field.ts'
import type { HeadProblem } from '../wire/head-problem.ts'
import { latin1 } from '../wire/latin1.ts'
import { rangeIs } from '../wire/list.ts'
import type { RequestHead } from '../wire/request-head.ts'
import { type Authority, parseAuthority } from './authority.ts'
import { canonicalPath, cleanPathEnd } from './canonical-path.ts'
import type { GateSettings } from './gate-options.ts'
import { badRequest, problem } from './problem.ts'

/**
 * Judges target and Host together (RFC 9112 section 3.2): there is one authority and one path, which are routed on
 * and sent on. Writes `targetScheme`, `host`, `port`, `authority`, `path` and `query`.
 */
export function judgeTarget(head: RequestHead, settings: GateSettings): HeadProblem | undefined {
  const { bytes, targetStart: start, targetEnd: end } = head
  const hostLine = head.indexOf(Field.host)
  let host: Authority | undefined
  if (hostLine >= 0) {
    host = readHost(bytes, head.ranges[hostLine * 4 + 2]!, head.ranges[hostLine * 4 + 3]!, settings)
    if (host === undefined) return badHost
  } else if (head.version !== 10) {
    return noHost
  }
  if (start === end) return badTarget
  const first = bytes[start]
  if (head.method === 'CONNECT') return connectTarget(head, host)
  setAuthority(head, host)
  if (first === 0x2f) return pathAndQuery(head, start, end, settings)
  if (first === 0x2a) {
    if (end - start !== 1 || head.method !== 'OPTIONS') return badStar
    head.path = '*'
    head.query = undefined
    return undefined
  }
  return head.version === 20 ? badTarget : absoluteTarget(head, host, settings)
}

function readHost(
  bytes: Uint8Array,
  start: number,
  end: number,
  { authorities }: GateSettings,
): Authority | undefined {
  const known = authorities.find(bytes, start, end)
  if (known !== undefined) return known
  const authority = parseAuthority(bytes, start, end)
  if (authority !== undefined) authorities.keep(bytes, start, end, authority)
  return authority
}

/** Authority form: `host:port` and nothing else (section 3.2.3). */
function connectTarget(head: RequestHead, host: Authority | undefined): HeadProblem | undefined {
  const target = parseAuthority(head.bytes, head.targetStart, head.targetEnd)
  if (target === undefined || target.port === 0) return badTarget
  if (
    host !== undefined &&
    (host.host !== target.host || (host.port !== 0 && host.port !== target.port))
  ) {
    return mismatch
  }
  setAuthority(head, target)
  head.path = '/'
  head.query = undefined
  return undefined
}

/** Absolute form: `http://host:port/path?query` (section 3.2.2). */
function absoluteTarget(
  head: RequestHead,
  host: Authority | undefined,
  settings: GateSettings,
): HeadProblem | undefined {
  const { bytes, targetStart: start, targetEnd: end } = head
  const schemeLength = schemeLengthAt(bytes, start, end)
  if (schemeLength === 0) return badTarget
  const from = start + schemeLength
  let to = from
  while (to < end && bytes[to] !== 0x2f && bytes[to] !== 0x3f && bytes[to] !== 0x23) to += 1
  const target = to === from ? undefined : parseAuthority(bytes, from, to)
  if (target === undefined) return badTarget
  const defaultPort = schemeLength === 8 ? 443 : 80
  if (host !== undefined && !isSame(host, target, defaultPort)) {
    if (settings.authorityMismatch === 'reject') return mismatch
  }
  head.targetScheme = schemeLength === 8 ? 'https' : 'http'
  setAuthority(head, target)
  if (to < end && bytes[to] === 0x2f) return pathAndQuery(head, to, end, settings)
  if (to < end && bytes[to] === 0x23) return fragment
  // OPTIONS without a path asks the whole server (section 3.2.4).
  head.path = head.method === 'OPTIONS' && to === end ? '*' : '/'
  return query(head, to, end)
}

function pathAndQuery(
  head: RequestHead,
  start: number,
  end: number,
  settings: GateSettings,
): HeadProblem | undefined {
  const { bytes } = head
  const known = settings.targets.find(bytes, start, end)
  if (known !== undefined) {
    head.path = known.path
    head.query = known.query
    return undefined
  }
  let pathEnd = cleanPathEnd(bytes, start, end, settings.mergeSlashes)
  if (pathEnd >= 0) {
    if (pathEnd - start > settings.maxPathLength) return tooLong
    head.path = latin1(bytes, start, pathEnd)
  } else {
    pathEnd = start
    while (pathEnd < end && bytes[pathEnd] !== 0x3f) {
      if (bytes[pathEnd] === 0x23) return fragment
      pathEnd += 1
    }
    if (pathEnd - start > settings.maxPathLength) return tooLong
    const path = canonicalPath(bytes, start, pathEnd, settings)
    if (typeof path !== 'string') return path
    head.path = path
  }
  const refusal = query(head, pathEnd, end)
  if (refusal !== undefined) return refusal
  settings.targets.keep(bytes, start, end, { path: head.path, query: head.query })
  return undefined
}

/** `start` is at the question mark, or at the end. */
function query(head: RequestHead, start: number, end: number): HeadProblem | undefined {
  if (start === end) {
    head.query = undefined
    return undefined
  }
  const { bytes } = head
  for (let i = start + 1; i < end; i++) {
    const byte = bytes[i]!
    if (byte <= 0x23 || byte >= 0x7f) {
      if (byte === 0x23) return fragment
      if (byte !== 0x21 && byte !== 0x22) return badQuery
    }
  }
  head.query = latin1(bytes, start + 1, end)
  return undefined
}

function setAuthority(head: RequestHead, authority: Authority | undefined): void {
  head.host = authority === undefined ? '' : authority.host
  head.port = authority === undefined ? 0 : authority.port
  head.authority = authority === undefined ? '' : authority.text
}

function isSame(host: Authority, target: Authority, defaultPort: number): boolean {
  return host.host === target.host && (host.port || defaultPort) === (target.port || defaultPort)
}

function schemeLengthAt(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > 7 && rangeIs(bytes, start, start + 7, 'http://')) return 7
  if (end - start > 8 && rangeIs(bytes, start, start + 8, 'https://')) return 8
  return 0
}

const badHost = badRequest('the Host field is not a host with an optional port')
const noHost = badRequest('there is no Host field')
const badTarget = badRequest('the target is neither a path nor an http or https URL')
const badStar = badRequest('the target * is for OPTIONS alone')
const mismatch = badRequest('target and Host field name different hosts')
const fragment = badRequest('the target has a fragment')
const badQuery = badRequest('the query has a character that no target may have')
const tooLong = problem(414, 'head-too-large', 'the path is too long')
