import { type Duration, parseDuration } from '../duration.ts'
import { invalidOption } from '../errors.ts'
import { objectOption } from '../option-shape.ts'
import type { Picker, Selector, SelectorOptions } from '../picker.ts'
import type { Roster } from '../roster.ts'
import { shown } from '../shown.ts'
import type { Tried } from '../tried.ts'
import { carryOver } from './carry-over.ts'
import { wholeNumber } from './option-values.ts'
import { type Ranking, SampledChoice } from './sampled-choice.ts'

/** How {@link leastTime} measures and chooses. */
export interface LeastTimeOptions {
  /** Members to draw by weight and compare, 2 to 64, or `all`. Default 2. */
  readonly choices?: number | 'all'
  /** After this time a measurement counts for 1/e of what it did. Default `10s`. */
  readonly decay?: Duration
  /**
   * Latency that a member is taken to have between its first pick and its first answer. Default
   * `1s`.
   */
  readonly penalty?: Duration
}

/**
 * The member that will probably answer soonest, by peak EWMA (Finagle's `p2c-peak-ewma`, also in
 * Envoy's contrib): the lowest `latency × (connections + 1) / weight` of two members drawn by
 * weight, or of all.
 *
 * - Latency is what {@link Selector.observe} tells: the connect time at L4, time to first byte at
 *   L7. A value above the average becomes the average at once (the peak); a lower one is blended in
 *   with weight `1 - exp(-elapsed / decay)`.
 * - The average fades with time, `exp(-elapsed / decay)`, so that a member that was slow is asked
 *   again.
 * - A member that was never measured, or comes back, counts as free for one pick; then it counts as
 *   `penalty` slow until it is measured, so that a member that never answers does not attract
 *   traffic.
 * - Each failure that the pool counted doubles the average: refusing fast is not being fast.
 * - Latencies below 0.01 ms count as that, and those above 60 s as 60 s.
 *
 * The next candidate is chosen in the same way among those not tried.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function leastTime(options: LeastTimeOptions = {}, path = 'leastTime'): Picker {
  const { choices = 2 } = objectOption(options, path)
  const count = choices === 'all' ? 0 : wholeNumber(choices, 2, 64, `${path}.choices`, ' or all')
  const decayMs = span(options.decay ?? '10s', `${path}.decay`)
  const penaltyMs = span(options.penalty ?? '1s', `${path}.penalty`)
  return Object.freeze<Picker>({
    name: 'least-time',
    key: 'none',
    open: (selector) => new PeakEwma(count, decayMs, penaltyMs, selector),
  })
}

function span(value: Duration, path: string): number {
  // A configuration may bring anything.
  const ms = typeof value === 'string' || typeof value === 'number' ? parseDuration(value, path) : 0
  if (ms >= 1) return ms
  throw invalidOption(path, `${shown(value)} does not fit: use a duration of at least 1ms`)
}

const fresh = 0
const probed = 1
const measured = 2

const floorMs = 0.01
const ceilingMs = 60_000
/** Decay times after which the epoch moves on, well before `exp` of them overflows. */
const epochSpan = 100

/**
 * Averages are kept as if at the epoch: multiplied by `exp((time of measurement - epoch) / decay)`.
 * So all fade together, and a pick compares them without a clock and without an exponential.
 */
class PeakEwma implements Selector, Ranking {
  readonly #decayMs: number
  readonly #penaltyMs: number
  readonly #now: () => number
  readonly #choice: SampledChoice
  #roster: Roster | undefined
  #epoch: number
  #average: Float64Array = new Float64Array(0)
  #measuredAt: Float64Array = new Float64Array(0)
  #state: Uint8Array = new Uint8Array(0)
  /** Failures of each member that its average knows of. */
  #failures: Float64Array = new Float64Array(0)
  /** Index into the roster by slot, or -1. */
  #indexes: Int32Array = new Int32Array(0)

  constructor(choices: number, decayMs: number, penaltyMs: number, options: SelectorOptions) {
    this.#decayMs = decayMs
    this.#penaltyMs = penaltyMs
    this.#now = options.now
    this.#choice = new SampledChoice(choices, options.random)
    this.#epoch = options.now()
  }

  update(roster: Roster): void {
    const origin = carryOver(this.#roster, roster)
    const [average, measuredAt, state, failures] = [
      this.#average,
      this.#measuredAt,
      this.#state,
      this.#failures,
    ]
    this.#average = Float64Array.from(origin, (old) => (old < 0 ? 0 : average[old]!))
    this.#measuredAt = Float64Array.from(origin, (old) => (old < 0 ? 0 : measuredAt[old]!))
    this.#state = Uint8Array.from(origin, (old) => (old < 0 ? fresh : state[old]!))
    this.#failures = Float64Array.from(origin, (old, index) =>
      old < 0 ? roster.load.failures[roster.slots[index]!]! : failures[old]!,
    )
    const slots = roster.slots.reduce((highest, slot) => Math.max(highest, slot), -1) + 1
    this.#indexes = new Int32Array(slots).fill(-1)
    roster.slots.forEach((slot, index) => {
      this.#indexes[slot] = index
    })
    this.#roster = roster
    this.#choice.update(roster)
  }

  pick(_key: number, tried: Tried): number {
    const index = this.#choice.pick(tried, this)
    if (index < 0) return -1
    if (this.#state[index] === fresh) {
      this.#state[index] = probed
      this.#average[index] = this.#penaltyMs * this.#inflation(this.#now())
    }
    return this.#roster!.slots[index]!
  }

  observe(slot: number, latencyMs: number): void {
    const index = slot < this.#indexes.length ? this.#indexes[slot]! : -1
    if (index < 0) return
    // Written so that NaN ends up at the floor.
    const latency = latencyMs > floorMs ? Math.min(latencyMs, ceilingMs) : floorMs
    const now = this.#now()
    const inflation = this.#inflation(now)
    if (this.#state[index] === measured) {
      const faded = this.#average[index]! / inflation
      const share = 1 - Math.exp((this.#measuredAt[index]! - now) / this.#decayMs)
      this.#average[index] = (latency < faded ? faded + latency * share : latency) * inflation
    } else {
      this.#average[index] = latency * inflation
      this.#state[index] = measured
    }
    this.#measuredAt[index] = now
  }

  better(a: number, b: number): boolean {
    const { slots, weights, load } = this.#roster!
    const slotA = slots[a]!
    const slotB = slots[b]!
    if (load.failures[slotA] !== this.#failures[a]) this.#failed(a)
    if (load.failures[slotB] !== this.#failures[b]) this.#failed(b)
    return (
      this.#average[a]! * (load.active[slotA]! + 1) * weights[b]! <
      this.#average[b]! * (load.active[slotB]! + 1) * weights[a]!
    )
  }

  #failed(index: number): void {
    const { slots, load } = this.#roster!
    const failures = load.failures[slots[index]!]!
    const doublings = Math.max(0, Math.min(failures - this.#failures[index]!, 24))
    const ceiling = ceilingMs * this.#inflation(this.#now())
    this.#failures[index] = failures
    this.#average[index] = Math.min(this.#average[index]! * 2 ** doublings, ceiling)
  }

  /** What a latency of this moment is multiplied by; moves the epoch when that grows too large. */
  #inflation(now: number): number {
    const spans = (now - this.#epoch) / this.#decayMs
    if (spans <= epochSpan) return Math.exp(spans)
    const fade = Math.exp(-spans)
    for (let index = 0; index < this.#average.length; index++) this.#average[index]! *= fade
    this.#epoch = now
    return 1
  }
}
