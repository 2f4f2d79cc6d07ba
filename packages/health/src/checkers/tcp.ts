import { connect, type Socket } from 'node:net'
import { invalidOption, parseSize, type Size, shown } from '@steelyard/core'
import { attempt } from '../attempt.ts'
import { canonicalText } from '../canonical-text.ts'
import { type Check, type CheckOptions, check } from '../check.ts'
import { type DialogueStep, dialogue, type Script, script } from '../dialogue.ts'
import { failed, type Probe, type ProbeResult, passed, refused } from '../probe.ts'
import { socketFailure } from '../socket-failure.ts'
import { isSelfConnected } from './self-connection.ts'
import { connectOptions, isUnix, type SocketOptions, sourceOf } from './socket-target.ts'

/** What {@link tcpCheck} may be told. */
export interface TcpCheckOptions extends CheckOptions, SocketOptions {
  /** What to say and what to hear once connected, in order. Default: nothing, the connect is enough. */
  readonly steps?: readonly DialogueStep[]
  /** Bytes that an answer may take before it matches. Default 4096; 1 MiB at most. */
  readonly maxBytes?: Size
  /**
   * How the connection is closed: by RST, which leaves no TIME_WAIT behind at either end, or by FIN.
   * Default: `reset` without steps, for checks by the thousand would use up the local ports; `fin` with
   * steps, so that the last words arrive. Some servers log a reset.
   */
  readonly close?: 'reset' | 'fin'
}

/**
 * Well is who accepts a TCP connection (or one on a unix socket) and, with `steps`, says the right
 * things: PING/PONG, a banner, a greeting.
 *
 * @example
 * ```ts
 * tcpCheck({ every: '2s', timeout: '500ms', rise: 2, fall: 3 })
 * tcpCheck({ steps: [{ send: 'PING\r\n', expect: '+PONG' }] })
 * tcpCheck({ steps: [{ expect: /^220 / }, { send: 'QUIT\r\n' }] })
 * ```
 *
 * @throws `invalid-option` with the path of the field.
 */
export function tcpCheck(options: TcpCheckOptions = {}): Check {
  const source = sourceOf(options, 'tcpCheck')
  const close = options.close ?? (options.steps === undefined ? 'reset' : 'fin')
  if (close !== 'reset' && close !== 'fin') {
    throw invalidOption('tcpCheck.close', `${shown(close)} is neither reset nor fin`)
  }
  const talk = talkOf(options, 'tcpCheck')
  return check('tcp', tcpProbe(source, close, talk), {
    ...options,
    key: canonicalText({ source, close, steps: options.steps, maxBytes: talk?.maxBytes }),
  })
}

/** What the conversation options of a check mean; absent when nothing is to be said. */
export function talkOf(
  options: { readonly steps?: readonly DialogueStep[]; readonly maxBytes?: Size },
  path: string,
): Script | undefined {
  const maxBytes = parseSize(options.maxBytes ?? 4096, `${path}.maxBytes`)
  if (maxBytes < 1 || maxBytes > 1_048_576) {
    throw invalidOption(`${path}.maxBytes`, `${maxBytes} bytes: use 1 byte to 1MiB`)
  }
  return options.steps === undefined ? undefined : script(options.steps, maxBytes, `${path}.steps`)
}

function tcpProbe(
  source: string | undefined,
  close: 'reset' | 'fin',
  talk: Script | undefined,
): Probe {
  return (target, { signal, timeoutMs }) =>
    attempt(signal, (settle) => {
      const doing = `connect to ${target.address}`
      const socket = connect({ ...connectOptions(target, source), noDelay: talk !== undefined })
      let connected = false
      let conversation: Conversation | undefined
      socket.on('error', (error) => {
        settle(socketFailure(connected ? `connection to ${target.address}` : doing, error))
      })
      socket.once('connect', () => {
        connected = true
        if (isSelfConnected(socket)) {
          settle(refused(`${doing} reached nobody but its own source port`))
        } else if (talk === undefined) {
          settle(passed(`${doing} succeeded`))
        } else {
          conversation = converse(socket, talk, target.address, settle)
        }
      })
      return {
        timeUp: () =>
          failed(
            connected
              ? `${target.address} did not answer within ${timeoutMs}ms: ${conversation?.problem ?? ''}`
              : `${doing} timed out after ${timeoutMs}ms`,
          ),
        close() {
          if (connected && close === 'reset' && !isUnix(target)) socket.resetAndDestroy()
          else socket.destroy()
        },
      }
    })
}

/** A conversation on an open connection. */
export interface Conversation {
  /** What it waits for, for the message when the time is up. */
  readonly problem: string
}

/** Holds a conversation on a connection, of plain TCP or TLS, and settles with its outcome. */
export function converse(
  socket: Socket,
  talk: Script,
  address: string,
  settle: (result: ProbeResult) => void,
): Conversation {
  const talking = dialogue(talk)
  const go = (bytes?: Uint8Array): void => {
    const { state, send, problem } = talking.next(bytes)
    const done = (): void => settle(passed(`${address} said what was expected`))
    for (const part of send.slice(0, -1)) socket.write(part)
    const last = send.at(-1)
    // Done is only when the last words are out: the close that follows would cut them off.
    if (last !== undefined) socket.write(last, state === 'done' ? () => done() : undefined)
    else if (state === 'done') done()
    if (state === 'failed') settle(refused(`${address} gave a wrong answer: ${problem}`))
  }
  socket.on('data', go)
  socket.once('end', () => {
    settle(failed(`${address} closed the connection: ${talking.problem}`))
  })
  go()
  return talking
}
