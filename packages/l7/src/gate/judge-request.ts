import { Field } from '../wire/field.ts'
import type { HeadProblem } from '../wire/head-problem.ts'
import { listHas, rangeIs } from '../wire/list.ts'
import type { RequestHead } from '../wire/request-head.ts'
import { Alias, aliasKind } from './field-alias.ts'
import type { GateSettings } from './gate-options.ts'
import { judgeFraming } from './judge-framing.ts'
import { judgeTarget } from './judge-target.ts'
import { judgeUpgrade } from './judge-upgrade.ts'
import { badRequest, problem } from './problem.ts'

/**
 * Judges a request's head after its syntax, and writes down what it found: `host`, `port`, `authority`, `path`,
 * `query`, `bodyLength`, `keepAlive`, `upgrade`, `expectsContinue` and `acceptsTrailers`. Lines that only pretend to be
 * others are dropped. A good head of a kind seen before costs no string.
 *
 * An HTTP/2 leg has put `:authority` as the one `host` line, `:path` as the target, has written `bodyLength`, and has
 * made an HTTP/1.1 upgrade of an extended CONNECT: its method is GET and `upgrade` the `:protocol`.
 *
 * @returns why the request may not pass, or undefined
 */
export function judgeRequest(head: RequestHead, settings: GateSettings): HeadProblem | undefined {
  const { version, method } = head
  if (version !== 11 && version !== 20 && version !== 10) return unknownVersion
  if (method === 'TRACE' && !settings.allowTrace) return noTrace
  if (method === 'CONNECT' && !settings.allowConnect) return noConnect
  const lines = judgeLines(head, settings)
  if (typeof lines === 'object') return lines
  return (
    judgeTarget(head, settings) ??
    judgeFraming(head, settings, (lines & has.length) !== 0, (lines & has.coding) !== 0) ??
    judgeConnection(head, settings, lines)
  )
}

/** What {@link judgeLines} came across. */
const has = {
  host: 1,
  length: 2,
  coding: 4,
  connection: 8,
  upgrade: 16,
  expect: 32,
  te: 64,
} as const

/** One look at every line; bits of {@link has}, or a problem. */
function judgeLines(head: RequestHead, settings: GateSettings): number | HeadProblem {
  const { ids, ranges, bytes, count } = head
  let seen = 0
  for (let i = 0; i < count; i++) {
    switch (ids[i]) {
      case Field.unknown: {
        const alias = aliasKind(bytes, ranges[i * 4]!, ranges[i * 4 + 1]!)
        if (alias === Alias.none) break
        if (alias === Alias.framing) return framingAlias
        if (alias === Alias.trusted) head.drop(i)
        else if (settings.underscores === 'reject') return underscore
        else if (settings.underscores === 'drop') head.drop(i)
        break
      }
      case Field.host:
        if ((seen & has.host) !== 0) return twoHosts
        seen |= has.host
        break
      case Field.contentLength:
        seen |= has.length
        break
      case Field.transferEncoding:
        seen |= has.coding
        break
      case Field.connection:
        seen |= has.connection
        break
      case Field.upgrade:
        seen |= has.upgrade
        break
      case Field.expect:
        seen |= has.expect
        break
      case Field.te:
        seen |= has.te
        break
      default:
        break
    }
  }
  return seen
}

/** Judges what is between the client and us alone. */
function judgeConnection(
  head: RequestHead,
  settings: GateSettings,
  lines: number,
): HeadProblem | undefined {
  const hasConnection = (lines & has.connection) !== 0
  if (head.version === 20) {
    // RFC 9113 section 8.2.2.
    if (hasConnection || ((lines & has.upgrade) !== 0 && head.upgrade === '')) {
      return connectionInHttp2
    }
    if (head.indexOf(Field.keepAlive) >= 0 || head.indexOf(Field.proxyConnection) >= 0) {
      return connectionInHttp2
    }
    head.keepAlive = true
  } else {
    if (hasConnection && optionCount(head) > mostOptions) return manyOptions
    const closes = hasConnection && listHas(head, Field.connection, 'close')
    head.keepAlive =
      !closes &&
      (head.version === 11 || (hasConnection && listHas(head, Field.connection, 'keep-alive')))
    if ((lines & has.upgrade) === 0) head.upgrade = ''
  }
  if ((lines & has.upgrade) !== 0 || head.upgrade !== '') {
    const refusal = judgeUpgrade(head, settings)
    if (refusal !== undefined) return refusal
  }
  head.acceptsTrailers =
    (lines & has.te) !== 0 && head.version !== 10 && listHas(head, Field.te, 'trailers')
  return judgeExpect(head, (lines & has.expect) !== 0)
}

/** RFC 9110 section 10.1.1. Without a body there is nothing to wait for; HTTP/1.0 clients do not wait. */
function judgeExpect(head: RequestHead, hasExpect: boolean): HeadProblem | undefined {
  head.expectsContinue = false
  if (!hasExpect) return undefined
  const { bytes, ranges } = head
  for (let i = head.indexOf(Field.expect); i >= 0; i = head.indexOf(Field.expect, i + 1)) {
    if (!rangeIs(bytes, ranges[i * 4 + 2]!, ranges[i * 4 + 3]!, '100-continue')) {
      return unknownExpectation
    }
  }
  head.expectsContinue = head.version !== 10 && head.bodyLength !== 0
  return undefined
}

/** Commas in Connection lines, and lines: an upper bound of its options. */
function optionCount(head: RequestHead): number {
  const { bytes, ranges } = head
  let count = 0
  for (let i = head.indexOf(Field.connection); i >= 0; i = head.indexOf(Field.connection, i + 1)) {
    count += 1
    const end = ranges[i * 4 + 3]!
    for (let at = ranges[i * 4 + 2]!; at < end; at++) if (bytes[at] === 0x2c) count += 1
  }
  return count
}

const mostOptions = 32

const unknownVersion = problem(505, 'unsupported', 'HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here')
const noTrace = problem(405, 'unsupported', 'TRACE may not pass')
const noConnect = problem(405, 'unsupported', 'CONNECT may not pass')
const twoHosts = badRequest('there are two Host fields')
const framingAlias = badRequest('a field pretends to be one that frames the message')
const underscore = badRequest('a field has an underscore in its name')
const connectionInHttp2 = badRequest('HTTP/2 has no fields about the connection')
const manyOptions = badRequest('the Connection field has too many options')
const unknownExpectation = problem(417, 'unsupported', 'of expectations only 100-continue is known')
