import type { Size } from '@steelyard/core'
import { attempt } from '../attempt.ts'
import { canonicalText } from '../canonical-text.ts'
import { type Check, type CheckOptions, check } from '../check.ts'
import type { DialogueStep, Script } from '../dialogue.ts'
import { failed, type Probe, passed } from '../probe.ts'
import { type SocketOptions, sourceOf } from './socket-target.ts'
import { type Conversation, converse, talkOf } from './tcp.ts'
import {
  judgeTls,
  openTls,
  type TlsJudgement,
  type TlsPlan,
  type TlsSettings,
  tlsFailure,
  tlsPlan,
} from './tls-session.ts'

/** What {@link tlsCheck} may be told. */
export interface TlsCheckOptions extends CheckOptions, SocketOptions, TlsSettings {
  /** What to say and what to hear once the handshake is done. Default: nothing, the handshake is enough. */
  readonly steps?: readonly DialogueStep[]
  /** Bytes that an answer may take before it matches. Default 4096; 1 MiB at most. */
  readonly maxBytes?: Size
}

/**
 * Well is who completes a TLS handshake and, with `steps`, says the right things inside. The certificate
 * is not verified unless `verify` is set, as users of TLS-HELLO checks expect; its expiry is always part
 * of the evidence.
 *
 * @example
 * ```ts
 * tlsCheck({ servername: 'mail.example.com', verify: true, warnBefore: '30d', every: '10s' })
 * ```
 *
 * @throws `invalid-option` with the path of the field.
 */
export function tlsCheck(options: TlsCheckOptions = {}): Check {
  const source = sourceOf(options, 'tlsCheck')
  const plan = tlsPlan(options, 'tlsCheck')
  const talk = talkOf(options, 'tlsCheck')
  const { verify, servername, ca, cert, key, minVersion, alpn, warnBefore, steps, maxBytes } =
    options
  return check('tls', tlsProbe(source, plan, talk), {
    ...options,
    key: canonicalText({
      ...{ source, verify, servername, ca, cert, key, minVersion, alpn },
      ...{ warnBefore, steps, maxBytes },
    }),
  })
}

function tlsProbe(source: string | undefined, plan: TlsPlan, talk: Script | undefined): Probe {
  return (target, { signal, timeoutMs, clock }) =>
    attempt(signal, (settle) => {
      const socket = openTls(target, plan, source)
      let stage: 'connect' | 'handshake' | 'open' = 'connect'
      let judged: TlsJudgement | undefined
      let conversation: Conversation | undefined
      socket.on('error', (error) => settle(tlsFailure(target, stage, error)))
      socket.once('connect', () => {
        stage = 'handshake'
      })
      socket.once('secureConnect', () => {
        stage = 'open'
        judged = judgeTls(socket, target, plan, clock.wallNow())
        const { problem, evidence, remark } = judged
        if (problem !== undefined) {
          settle(problem)
        } else if (talk === undefined) {
          settle(passed(`TLS handshake with ${target.address} succeeded${remark}`, evidence))
        } else {
          conversation = converse(socket, talk, target.address, (result) => {
            const reason = result.outcome === 'ok' ? `${result.reason}${remark}` : result.reason
            settle({ ...result, reason, evidence: { ...evidence, ...result.evidence } })
          })
        }
      })
      return {
        timeUp() {
          if (stage === 'connect') {
            return failed(`connect to ${target.address} timed out after ${timeoutMs}ms`)
          }
          if (stage === 'handshake') {
            return failed(
              `TLS handshake with ${target.address} did not finish within ${timeoutMs}ms`,
            )
          }
          return failed(
            `${target.address} did not answer within ${timeoutMs}ms: ${conversation?.problem ?? ''}`,
            judged?.evidence,
          )
        },
        close: () => void socket.destroy(),
      }
    })
}
