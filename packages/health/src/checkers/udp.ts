import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns'
import { isIP } from 'node:net'
import { invalidOption, objectOption, shown } from '@steelyard/core'
import { attempt } from '../attempt.ts'
import { canonicalText } from '../canonical-text.ts'
import { type Check, type CheckOptions, check } from '../check.ts'
import {
  excerpt,
  type Matcher,
  type Pattern,
  type Payload,
  payloadBytes,
  prefixMatcher,
} from '../pattern.ts'
import { failed, type Probe, type ProbeResult, passed, refused } from '../probe.ts'
import { socketFailure } from '../socket-failure.ts'
import { isUnix, type SocketOptions, sourceOf } from './socket-target.ts'

/** What {@link udpCheck} may be told. */
export interface UdpCheckOptions extends CheckOptions, SocketOptions {
  /**
   * What counts as well. `reply`: an answer must come, and match `expect` if that is given.
   * `no-icmp-error`: nobody has said within the timeout that the port is unreachable; for services that
   * do not answer. It cannot tell a dead host, or a firewall that drops, from a silent service.
   */
  readonly mode: 'reply' | 'no-icmp-error'
  /** The datagram to send. Default: an empty one. */
  readonly send?: Payload
  /** How the answer must begin, or a regular expression for it. Only with `reply`. Default: anything will do. */
  readonly expect?: Pattern
}

/**
 * Well is who answers a datagram, or at least does not refuse it; the mode says which.
 *
 * @example
 * ```ts
 * udpCheck({ mode: 'reply', send: { hex: '1b 00' }, expect: { regex: '^\\x1c' } })
 * udpCheck({ mode: 'no-icmp-error', every: '5s', timeout: '1s' })
 * ```
 *
 * @throws `invalid-option` with the path of the field.
 */
export function udpCheck(options: UdpCheckOptions): Check {
  const { mode, send = '', expect } = objectOption(options, 'udpCheck')
  if (mode !== 'reply' && mode !== 'no-icmp-error') {
    throw invalidOption('udpCheck.mode', `${shown(mode)} is neither reply nor no-icmp-error`)
  }
  if (mode === 'no-icmp-error' && expect !== undefined) {
    throw invalidOption('udpCheck.expect', 'needs an answer: use it with mode "reply"')
  }
  const source = sourceOf(options, 'udpCheck')
  const datagram = payloadBytes(send, 'udpCheck.send')
  if (datagram.length > 65_507) {
    throw invalidOption(
      'udpCheck.send',
      `${datagram.length} bytes do not fit into a datagram: 65507 do`,
    )
  }
  const wanted = expect === undefined ? undefined : prefixMatcher(expect, 'udpCheck.expect')
  return check('udp', udpProbe(mode, datagram, wanted, source), {
    ...options,
    key: canonicalText({ mode, send, expect, source }),
  })
}

function udpProbe(
  mode: 'reply' | 'no-icmp-error',
  datagram: Uint8Array,
  wanted: Matcher | undefined,
  source: string | undefined,
): Probe {
  return (target, { signal, timeoutMs }) => {
    if (isUnix(target)) return refused(`${target.address} is no UDP address`)
    return attempt(signal, (settle) => {
      let socket: Socket | undefined
      let sent = false
      let closed = false
      const fail = (error: Error): void => {
        const { code } = error as NodeJS.ErrnoException
        settle(
          code === 'ECONNREFUSED'
            ? refused(`UDP port of ${target.address} is unreachable (ICMP)`, { code })
            : socketFailure(`UDP to ${target.address}`, error),
        )
      }
      const open = (address: string, family: number): void => {
        if (closed) return
        socket = createSocket(family === 6 ? 'udp6' : 'udp4')
        socket.on('error', fail)
        socket.on('message', (bytes) => settle(judged(target.address, bytes, wanted)))
        // Node hands a failed connect to the callback, and may call it after the close.
        const connected = (error?: Error): void => {
          if (closed) return
          if (error !== undefined) {
            fail(error)
            return
          }
          sent = true
          socket?.send(datagram, (error) => {
            if (error !== null) fail(error)
          })
        }
        if (source === undefined) {
          socket.connect(target.port, address, connected)
        } else {
          socket.bind(0, source, () => {
            if (!closed) socket?.connect(target.port, address, connected)
          })
        }
      }
      const family = isIP(target.host)
      if (family !== 0) {
        open(target.host, family)
      } else {
        lookup(target.host, (error, address, found) => {
          if (error === null) open(address, found)
          else fail(error)
        })
      }
      return {
        timeUp() {
          if (!sent) return failed(`nothing was sent to ${target.address} within ${timeoutMs}ms`)
          if (mode === 'reply') {
            return failed(`${target.address} did not answer within ${timeoutMs}ms`)
          }
          // After a stall the timers run first: let the socket say what it has heard before silence counts.
          setImmediate(() =>
            settle(passed(`no ICMP error from ${target.address} within ${timeoutMs}ms`)),
          )
          return undefined
        },
        close() {
          closed = true
          socket?.close()
        },
      }
    })
  }
}

function judged(address: string, bytes: Uint8Array, wanted: Matcher | undefined): ProbeResult {
  const evidence = { replyBytes: bytes.length }
  if (wanted === undefined || wanted.end(bytes) >= 0) {
    return passed(`${address} answered`, evidence)
  }
  const got = excerpt(bytes)
  return refused(`${address} gave a wrong answer: expected ${wanted.text}, got ${got}`, evidence)
}
