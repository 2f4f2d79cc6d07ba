import { invalidOption, listOption, objectOption } from '@steelyard/core'
import {
  excerpt,
  type Matcher,
  type Pattern,
  type Payload,
  payloadBytes,
  prefixMatcher,
} from './pattern.ts'

/** One step of a conversation: first what is sent, then what must come; at least one of the two. */
export interface DialogueStep {
  readonly send?: Payload
  /** Text or bytes must come next, exactly; a regular expression may match anywhere in what has come. */
  readonly expect?: Pattern
}

/** A conversation as checked; begin one {@link Dialogue} of it for each connection. */
export interface Script {
  readonly steps: readonly {
    readonly send: Uint8Array | undefined
    readonly expect: Matcher | undefined
  }[]
  /** Bytes that may be waiting to be matched. */
  readonly maxBytes: number
}

/** What to do next. */
export interface Move {
  readonly state: 'waiting' | 'done' | 'failed'
  /** To be sent now, in order. */
  readonly send: readonly Uint8Array[]
  /** Why it failed, or what it waits for. */
  readonly problem: string
}

/** A conversation in progress: bytes in, moves out. */
export interface Dialogue {
  /** Call it first, and then with whatever comes. */
  next(bytes?: Uint8Array): Move
  /** What it would say if nothing more came. */
  readonly problem: string
}

/**
 * Checks the steps of a conversation.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function script(steps: readonly DialogueStep[], maxBytes: number, path: string): Script {
  listOption(steps, path)
  if (steps.length === 0 || steps.length > 64) {
    throw invalidOption(path, `has ${steps.length} steps: use 1 to 64, or leave it out`)
  }
  return {
    maxBytes,
    steps: steps.map((step, index) => {
      const at = `${path}[${index}]`
      const { send, expect } = objectOption(step, at)
      if (send === undefined && expect === undefined) {
        throw invalidOption(at, 'does nothing: give it "send" or "expect"')
      }
      return {
        send: send === undefined ? undefined : payloadBytes(send, `${at}.send`),
        expect: expect === undefined ? undefined : prefixMatcher(expect, `${at}.expect`),
      }
    }),
  }
}

/** Begins a conversation. */
export function dialogue({ steps, maxBytes }: Script): Dialogue {
  let index = 0
  let sent = false
  let held: Uint8Array = new Uint8Array(0)

  const place = (what: string): string =>
    steps.length === 1 ? what : `step ${index + 1} of ${steps.length}: ${what}`
  const awaited = (): string =>
    place(`expected ${steps[index]?.expect?.text ?? 'nothing'}, got ${excerpt(held)}`)

  return {
    get problem() {
      return awaited()
    },
    next(bytes) {
      if (bytes !== undefined) held = joined(held, bytes)
      const send: Uint8Array[] = []
      for (; index < steps.length; index++) {
        const step = steps[index]!
        if (step.send !== undefined && !sent) send.push(step.send)
        sent = true
        if (step.expect !== undefined) {
          const end = step.expect.end(held.subarray(0, maxBytes))
          if (end === -2) return { state: 'failed', send, problem: awaited() }
          if (end === -1) {
            if (held.length < maxBytes) return { state: 'waiting', send, problem: awaited() }
            const problem = place(`no ${step.expect.text} in the first ${maxBytes} bytes`)
            return { state: 'failed', send, problem }
          }
          held = held.subarray(end)
        }
        sent = false
      }
      return { state: 'done', send, problem: '' }
    },
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
