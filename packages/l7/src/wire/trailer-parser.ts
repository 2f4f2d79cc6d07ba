import { Head } from './head.ts'
import { HeadParser } from './head-parser.ts'
import type { HeadProblem } from './head-problem.ts'
import type { HeadLimits } from './limits.ts'

/** Whose message it is: which status a problem with it has. */
export type MessageSide = 'request' | 'response'

/** Reads a trailer section: the lines of a head without a start line (RFC 9112 section 7.1.2). */
export class TrailerParser extends HeadParser<Head> {
  readonly #side: MessageSide

  constructor(limits: HeadLimits, side: MessageSide) {
    super(new Head(256, 8), limits)
    this.#side = side
  }

  protected resetStart(): void {}

  protected skip(_bytes: Uint8Array, start: number, _end: number): number {
    return start
  }

  protected scanStart(from: number, _to: number): number {
    this.startDone = true
    return from
  }

  protected problemOf(fault: string, tooLarge: boolean, _inStart: boolean): HeadProblem {
    const message = `${this.#side} trailers: ${fault}`
    if (this.#side === 'response') return { status: 502, code: 'bad-response', message }
    if (tooLarge) return { status: 431, code: 'head-too-large', message }
    return { status: 400, code: 'bad-request', message }
  }
}
