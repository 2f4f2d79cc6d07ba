/** What happened lately: counts of the last `windowMs`, moved on in tenths. Pure: time is told. */
export interface RollingWindow {
  /** One result. `latencyMs` from 0. */
  add(now: number, error: boolean, slow: boolean, latencyMs: number): void
  /** Forgets what is out of the window; the sums below are then as of `now`. */
  advance(now: number): void
  clear(): void
  readonly total: number
  readonly errors: number
  readonly slow: number
  /** Of all results together, in milliseconds. */
  readonly latencyMs: number
}

const slices = 10
const total = 0
const errors = 1
const slow = 2
const latency = 3
const columns = 4

/** Makes a {@link RollingWindow}. */
export function rollingWindow(windowMs: number): RollingWindow {
  return new SlicedWindow(windowMs / slices)
}

class SlicedWindow implements RollingWindow {
  readonly #sliceMs: number
  readonly #slices: Float64Array = new Float64Array(slices * columns)
  readonly #sums: Float64Array = new Float64Array(columns)
  #slice = 0

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs
  }

  get total(): number {
    return this.#sums[total]!
  }

  get errors(): number {
    return this.#sums[errors]!
  }

  get slow(): number {
    return this.#sums[slow]!
  }

  get latencyMs(): number {
    return this.#sums[latency]!
  }

  add(now: number, isError: boolean, isSlow: boolean, latencyMs: number): void {
    this.advance(now)
    const at = (this.#slice % slices) * columns
    this.#count(at, total, 1)
    if (isError) this.#count(at, errors, 1)
    if (isSlow) this.#count(at, slow, 1)
    this.#count(at, latency, latencyMs)
  }

  advance(now: number): void {
    const slice = Math.floor(now / this.#sliceMs)
    const passed = Math.min(slices, slice - this.#slice)
    if (passed <= 0) return
    if (passed === slices) this.clear()
    else for (let i = 1; i <= passed; i++) this.#drop(((this.#slice + i) % slices) * columns)
    this.#slice = slice
  }

  clear(): void {
    this.#slices.fill(0)
    this.#sums.fill(0)
  }

  #count(at: number, column: number, amount: number): void {
    this.#slices[at + column]! += amount
    this.#sums[column]! += amount
  }

  #drop(at: number): void {
    for (let column = 0; column < columns; column++) {
      this.#sums[column]! -= this.#slices[at + column]!
      this.#slices[at + column] = 0
    }
  }
}
