import { FieldSection, Outcome } from './field-section.ts'
import { copyRange, type Head } from './head.ts'
import type { HeadProblem } from './head-problem.ts'
import type { HeadLimits } from './limits.ts'

/** How far a parser has come with a head. */
export type HeadParserState = 'idle' | 'partial' | 'complete' | 'failed'

/** With less room left than this a head is given more before it takes more. */
const leastRoom = 256
const moreRoom = 1024

/**
 * What request and response parsers share: heads from ranges of bytes, however they are cut. Each range is copied into
 * the head, behind the last, and scanned there: where its lines stay, and once.
 */
export abstract class HeadParser<H extends Head> {
  /** The head that is being filled. To be replaced only while idle. */
  head: H
  /** The start line is complete. */
  protected startDone = false
  readonly #fields: FieldSection
  readonly #maxBytes: number
  #state: HeadParserState = 'idle'
  #problem: HeadProblem | undefined = undefined
  /** Bytes of this head that are in `head.bytes` already, all of them scanned. */
  #held = 0

  protected constructor(head: H, limits: HeadLimits) {
    this.head = head
    this.#maxBytes = limits.maxBytes
    this.#fields = new FieldSection(limits)
  }

  /** `idle` before the first byte of a head; nothing is read any more when `complete` or `failed`. */
  get state(): HeadParserState {
    return this.#state
  }

  /** Why it failed. */
  get problem(): HeadProblem | undefined {
    return this.#problem
  }

  /** Ready for the next head: forgets this one. */
  next(): void {
    this.head.reset()
    this.#fields.reset()
    this.resetStart()
    this.#state = 'idle'
    this.#problem = undefined
    this.startDone = false
    this.#held = 0
  }

  /**
   * Takes bytes up to the head's end; what is behind is not looked at.
   *
   * @returns the offset behind the last byte that it consumed
   */
  feed(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    if (this.#state === 'idle') {
      at = this.skip(bytes, start, end)
      if (at >= end) return at
      if (at < 0) {
        this.fail(this.problemOf('CR or LF before it', false, true))
        return start
      }
      this.#state = 'partial'
    }
    while (this.#state === 'partial' && at < end) at = this.#take(bytes, at, end)
    return at
  }

  /** Takes as much as the head has room for. What is behind the head is copied in vain, and not more than that. */
  #take(bytes: Uint8Array, start: number, end: number): number {
    const { head } = this
    const held = this.#held
    const room = head.bytes.length - held
    const length = Math.min(end - start, this.#maxBytes - held, room < leastRoom ? moreRoom : room)
    head.used = held
    if (length > room) head.reserve(length)
    copyRange(bytes, start, start + length, head.bytes, held)
    const at = this.#scan(held, held + length)
    this.#held = at
    this.#settle()
    return start + (at - held)
  }

  /** Returns the offset behind what it has judged, which is all when it wants more. */
  #scan(from: number, to: number): number {
    let at = from
    if (!this.startDone) {
      at = this.scanStart(from, to)
      if (!this.startDone) return at
    }
    at = this.#fields.scan(this.head, at, to)
    if (this.#fields.outcome === Outcome.done) this.#state = 'complete'
    else if (this.#fields.outcome === Outcome.failed) {
      this.fail(this.problemOf(`header ${this.#fields.fault}`, this.#fields.tooLarge, false))
    }
    return at
  }

  #settle(): void {
    const { head } = this
    if (this.#state === 'complete') {
      // Without the empty line: lines that are added follow the last.
      head.used = this.#held - 2
      return
    }
    head.used = this.#held
    if (this.#state === 'partial' && this.#held >= this.#maxBytes) {
      const fault = `longer than ${this.#maxBytes} bytes before its end`
      this.fail(this.problemOf(fault, true, !this.startDone))
    }
  }

  /** Ends the parse. */
  protected fail(problem: HeadProblem): void {
    this.#state = 'failed'
    this.#problem = problem
  }

  /** What may stand before the start line is left out: the offset behind, or -1 when it may not stand there. */
  protected abstract skip(bytes: Uint8Array, start: number, end: number): number
  protected abstract resetStart(): void
  /** As {@link FieldSection.scan}, for the start line, which is the first thing in the head's bytes. */
  protected abstract scanStart(from: number, to: number): number
  protected abstract problemOf(fault: string, tooLarge: boolean, inStart: boolean): HeadProblem
}
