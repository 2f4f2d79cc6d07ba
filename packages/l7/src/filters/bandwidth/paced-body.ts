import type { Clock } from '@steelyard/core'
import type { BodySink, BodyTransform, BodyTransformer } from '../../exchange/body-transform.ts'

/** Bytes are let pass in steps of this long: often enough to be smooth, seldom enough to cost nothing. */
const stepMs = 50

/** A transformer that passes bytes on as they came, no faster than a token bucket allows. */
export function pacedBody(clock: Clock, bytesPerSecond: number, burst: number): BodyTransformer {
  return Object.assign((sink: BodySink) => new PacedBody(sink, clock, bytesPerSecond, burst), {
    unchanged: true,
  })
}

class PacedBody implements BodyTransform {
  readonly #sink: BodySink
  readonly #clock: Clock
  readonly #bytesPerMs: number
  readonly #burst: number
  #tokens: number
  #filledAt: number
  /** What may not pass yet; the first from `#at` on. */
  readonly #waiting: Uint8Array[] = []
  #at = 0
  /** The writer was told to wait. */
  #held = false
  /** The sink does not take more at the moment. */
  #blocked = false
  #ended = false
  #over = false
  #timer: Disposable | undefined = undefined

  constructor(sink: BodySink, clock: Clock, bytesPerSecond: number, burst: number) {
    this.#sink = sink
    this.#clock = clock
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#burst = burst
    this.#tokens = burst
    this.#filledAt = clock.now()
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over || bytes.length === 0) return true
    let passed = 0
    if (this.#waiting.length === 0 && !this.#blocked) {
      passed = this.#pass(bytes)
      if (this.#over) return true
    }
    if (passed < bytes.length) {
      this.#waiting.push(new Uint8Array(bytes.subarray(passed)))
      this.#schedule()
    }
    this.#held = this.#blocked || this.#waiting.length > 0
    return !this.#held
  }

  end(): void {
    if (this.#over || this.#ended) return
    this.#ended = true
    if (this.#waiting.length === 0) this.#finish()
  }

  drained(): void {
    if (this.#over || !this.#blocked) return
    this.#blocked = false
    this.#proceed()
  }

  destroy(): void {
    this.#over = true
    this.#waiting.length = 0
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }

  /** Passes what the bucket has of a range; returns how much. */
  #pass(bytes: Uint8Array): number {
    const now = this.#clock.now()
    const gained = (now - this.#filledAt) * this.#bytesPerMs
    this.#tokens = Math.min(this.#burst, this.#tokens + gained)
    this.#filledAt = now
    // A hair's breadth below a whole byte is a whole byte: fractions do not add up exactly.
    const count = Math.min(bytes.length, Math.floor(this.#tokens + 1e-6))
    if (count === 0) return 0
    this.#tokens -= count
    const part = count === bytes.length ? bytes : bytes.subarray(0, count)
    if (!this.#sink.data(part)) this.#blocked = true
    return count
  }

  #proceed(): void {
    while (this.#waiting.length > 0 && !this.#blocked) {
      const first = this.#waiting[0]!
      const rest = first.subarray(this.#at)
      const passed = this.#pass(rest)
      if (this.#over) return
      if (passed < rest.length) {
        this.#at += passed
        break
      }
      this.#waiting.shift()
      this.#at = 0
    }
    if (this.#waiting.length > 0) return this.#schedule()
    if (this.#ended) return this.#finish()
    if (!this.#held || this.#blocked) return
    this.#held = false
    this.#sink.ready()
  }

  /** Waits for as much as passes in a step, or for what is left if that is less. */
  #schedule(): void {
    if (this.#timer !== undefined || this.#blocked || this.#over) return
    const left = this.#waiting[0]!.length - this.#at
    const wanted = Math.min(left, this.#burst, Math.max(1, this.#bytesPerMs * stepMs))
    const delay = Math.max(0, (wanted - this.#tokens) / this.#bytesPerMs)
    this.#timer = this.#clock.after(delay, () => {
      this.#timer = undefined
      this.#proceed()
    })
  }

  #finish(): void {
    this.#over = true
    this.#sink.end()
  }
}
