import type {
  BodySink,
  BodyTransform,
  BodyTransformer,
} from '../../../src/exchange/body-transform.ts'
import type { Exchange, HttpFilter } from '../../../src/index.ts'

/**
 * Filters that do everything that hooks may do, and leave all bytes as they were in the end.
 *
 * @param which - a bit for each habit
 * @param wait - keeps what goes on later
 */
export function oddFilters(which: number, wait: (go: () => void) => void): HttpFilter[] {
  const later = (): Promise<void> => new Promise((resolve) => wait(resolve))
  const has = (bit: number): boolean => (which & (1 << bit)) !== 0
  const number = (x: Exchange): number => Number(x.request.path.slice(2))
  const filters: HttpFilter[] = []
  if (has(0)) {
    filters.push({
      name: 'asks',
      request(x) {
        if (number(x) % 7 === 6) throw new Error('made up')
        if (number(x) % 7 === 5) return { status: 418, body: 'no' }
        return number(x) % 3 === 0 ? later() : undefined
      },
    })
  }
  if (has(1)) {
    filters.push({
      name: 'heads',
      upstreamHead(head, x) {
        head.set('x-more', 'a'.repeat(number(x) * 3))
        if (number(x) % 11 === 10) throw new Error('made up')
        return number(x) % 4 === 1 ? later() : undefined
      },
      async responseHead(head, x) {
        if (number(x) % 11 === 9) throw new Error('made up')
        if (number(x) % 4 === 2) await later()
        head.set('x-late', 'yes')
      },
      done() {
        if (which % 5 === 0) throw new Error('made up')
      },
    })
  }
  if (has(2)) {
    filters.push({
      name: 'flips',
      requestBody: (x) => flip(number(x) % 3 === 1 ? later : undefined, number(x) % 13 === 12),
      responseBody: (_, x) => flip(number(x) % 3 === 2 ? later : undefined, number(x) % 13 === 11),
    })
    filters.push({
      name: 'flips back',
      requestBody: (x) => flip(number(x) % 5 === 1 ? later : undefined, false),
      responseBody: (_, x) => flip(number(x) % 5 === 2 ? later : undefined, number(x) % 17 === 9),
    })
  }
  if (has(3)) {
    filters.push({ name: 'gathers', gather: (x) => (number(x) % 2 === 0 ? 5000 : undefined) })
  }
  return filters
}

/** Turns one bit of every byte, at once or later. */
function flip(later: (() => Promise<void>) | undefined, fails: boolean): BodyTransformer {
  return (sink) => new Flip(sink, later, fails)
}

class Flip implements BodyTransform {
  readonly #sink: BodySink
  readonly #later: (() => Promise<void>) | undefined
  readonly #fails: boolean
  readonly #held: Uint8Array[] = []
  #busy = false
  #full = false
  #blocked = false
  #ended = false
  #over = false

  constructor(sink: BodySink, later: (() => Promise<void>) | undefined, fails: boolean) {
    this.#sink = sink
    this.#later = later
    this.#fails = fails
  }

  write(bytes: Uint8Array): boolean {
    if (this.#fails) throw new Error('made up')
    this.#held.push(bytes.map((byte) => byte ^ 1))
    if (this.#later === undefined) this.#go()
    else if (!this.#busy) {
      this.#busy = true
      void this.#later().then(() => {
        this.#busy = false
        this.#go()
      })
    }
    if (this.#held.length < 3 && !this.#full) return true
    this.#blocked = true
    return false
  }

  end(): void {
    this.#ended = true
    if (!this.#busy) this.#go()
  }

  drained(): void {
    this.#full = false
    if (!this.#busy) this.#go()
  }

  destroy(): void {
    this.#over = true
  }

  #go(): void {
    while (!this.#over && !this.#full && this.#held.length > 0) {
      this.#full = !this.#sink.data(this.#held.shift()!)
    }
    if (this.#over || this.#held.length > 0) return
    if (this.#ended) {
      this.#over = true
      return this.#sink.end()
    }
    if (this.#full || !this.#blocked) return
    this.#blocked = false
    this.#sink.ready()
  }
}
