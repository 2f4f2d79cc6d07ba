import type { HttpRequest } from '../exchange/http-request.ts'
import type { Clause } from './clause.ts'
import type { Predicate } from './route.ts'
import { hashStart, hashStep, TextTable } from './text-table.ts'

/** A clause in its place. */
export interface RankedClause<T> {
  /** The smallest wins. */
  readonly order: number
  readonly clause: Clause
  readonly value: T
}

/** Finds the first clause that holds, without asking those whose host or path is another. */
export interface RouteIndex<T> {
  /** Allocates nothing. Not to be asked by a condition that it asks itself. */
  find(request: HttpRequest): T | undefined
}

/** What is asked of the clauses that share host and path, in order. */
interface Bucket<T> {
  readonly orders: number[]
  readonly tests: (readonly Predicate[])[]
  readonly values: T[]
}

/** The clauses of one host. */
interface HostTable<T> {
  readonly exact: TextTable<Bucket<T>>
  readonly prefixes: TextTable<Bucket<T>>
  readonly starts: TextTable<Bucket<T>>
  readonly any: Bucket<T>
}

/**
 * Makes a {@link RouteIndex}: host, exact or by its labels from the right; then path, whole, by its segments or by its
 * first characters; then the tests that are left.
 *
 * @param ranked - in ascending order.
 */
export function routeIndex<T>(ranked: readonly RankedClause<T>[]): RouteIndex<T> {
  const index = new Index<T>()
  for (const clause of ranked) index.add(clause)
  return index
}

const slash = 0x2f
const dot = 0x2e

class Index<T> implements RouteIndex<T> {
  readonly #exactHosts = new TextTable<HostTable<T>>()
  readonly #wildcards = new TextTable<HostTable<T>>()
  readonly #anyHost: HostTable<T> = hostTable()
  /** How far into a path anything is looked up. */
  #reach = -1
  /** Lengths at which a `start` may end, ascending. */
  #startLengths: number[] = []
  readonly #isStartLength = new Set<number>()
  // What is known of the path at hand: the prefixes that may be looked up. Written anew by each `find`.
  #ends = new Int32Array(8)
  #hashes = new Int32Array(8)
  #count = 0
  #startHashes = new Int32Array(8)
  #startCount = 0
  #wholeHash = 0
  // The best so far.
  #order = Infinity
  #value: T | undefined = undefined

  add({ order, clause, value }: RankedClause<T>): void {
    const { tests } = clause
    const { orders, tests: allTests, values } = this.#bucketFor(clause)
    orders.push(order)
    allTests.push(tests)
    values.push(value)
  }

  find(request: HttpRequest): T | undefined {
    const { path } = request
    this.#order = Infinity
    this.#value = undefined
    this.#readPath(path)
    this.#searchHosts(request, path)
    this.#searchTable(this.#anyHost, request, path)
    const value = this.#value
    this.#value = undefined
    return value
  }

  #searchHosts(request: HttpRequest, path: string): void {
    const exact = this.#exactHosts
    const wildcards = this.#wildcards
    if (exact.size === 0 && wildcards.size === 0) return
    const { host } = request
    const { length } = host
    const reach = Math.max(exact.longest, wildcards.longest)
    let hash = hashStart
    let at = length - 1
    for (; at >= 0 && length - at - 1 <= reach; at--) {
      const code = host.charCodeAt(at)
      if (code === dot && at > 0) {
        const table = wildcards.get(hash, host, at + 1, length)
        if (table !== undefined) this.#searchTable(table, request, path)
      }
      hash = hashStep(hash, code)
    }
    if (at >= 0) return
    const table = exact.get(hash, host, 0, length)
    if (table !== undefined) this.#searchTable(table, request, path)
  }

  /** Hashes the path once, as far as any clause looks, and notes every place where a prefix may end. */
  #readPath(path: string): void {
    this.#count = 0
    this.#startCount = 0
    const reach = this.#reach
    if (reach < 0) return
    const { length } = path
    const rooted = path.charCodeAt(0) === slash
    const last = Math.min(length, reach)
    const startLengths = this.#startLengths
    let hash = hashStart
    let next = 0
    for (let at = 0; at < last; at++) {
      const code = path.charCodeAt(at)
      if (code === slash && rooted) this.#note(at, hash)
      hash = hashStep(hash, code)
      if (next < startLengths.length && startLengths[next] === at + 1) {
        this.#startHashes[next++] = hash
      }
    }
    this.#startCount = next
    this.#wholeHash = hash
    if (!rooted) return
    if (last === length || path.charCodeAt(last) === slash) this.#note(last, hash)
  }

  #note(end: number, hash: number): void {
    const count = this.#count
    if (count === this.#ends.length) {
      this.#ends = doubled(this.#ends)
      this.#hashes = doubled(this.#hashes)
    }
    this.#ends[count] = end
    this.#hashes[count] = hash
    this.#count = count + 1
  }

  #searchTable(table: HostTable<T>, request: HttpRequest, path: string): void {
    const { exact, prefixes, starts, any } = table
    if (exact.size > 0 && path.length <= exact.longest) {
      const bucket = exact.get(this.#wholeHash, path, 0, path.length)
      if (bucket !== undefined) this.#searchBucket(bucket, request)
    }
    if (prefixes.size > 0) {
      const { longest } = prefixes
      for (let i = this.#count - 1; i >= 0; i--) {
        const end = this.#ends[i]!
        if (end > longest) continue
        const bucket = prefixes.get(this.#hashes[i]!, path, 0, end)
        if (bucket !== undefined) this.#searchBucket(bucket, request)
      }
    }
    if (starts.size > 0) {
      for (let i = this.#startCount - 1; i >= 0; i--) {
        const bucket = starts.get(this.#startHashes[i]!, path, 0, this.#startLengths[i]!)
        if (bucket !== undefined) this.#searchBucket(bucket, request)
      }
    }
    this.#searchBucket(any, request)
  }

  #searchBucket({ orders, tests, values }: Bucket<T>, request: HttpRequest): void {
    for (let i = 0; i < orders.length; i++) {
      const order = orders[i]!
      if (order >= this.#order) return
      if (!passes(tests[i]!, request)) continue
      this.#order = order
      this.#value = values[i]!
      return
    }
  }

  #bucketFor({ host, path }: Clause): Bucket<T> {
    const table = host === undefined ? this.#anyHost : this.#tableFor(host.name, host.wildcard)
    if (path === undefined) return table.any
    const { form, value } = path
    this.#reach = Math.max(this.#reach, value.length)
    const texts = { exact: table.exact, prefix: table.prefixes, start: table.starts }[form]
    if (form === 'start' && !this.#isStartLength.has(value.length)) {
      this.#isStartLength.add(value.length)
      this.#startLengths = [...this.#isStartLength].sort((a, b) => a - b)
      this.#startHashes = new Int32Array(this.#startLengths.length)
    }
    let hash = hashStart
    for (let at = 0; at < value.length; at++) hash = hashStep(hash, value.charCodeAt(at))
    let bucket = texts.get(hash, value, 0, value.length)
    if (bucket === undefined) {
      bucket = { orders: [], tests: [], values: [] }
      texts.add(hash, value, bucket)
    }
    return bucket
  }

  #tableFor(name: string, wildcard: boolean): HostTable<T> {
    const tables = wildcard ? this.#wildcards : this.#exactHosts
    let hash = hashStart
    for (let at = name.length - 1; at >= 0; at--) hash = hashStep(hash, name.charCodeAt(at))
    let table = tables.get(hash, name, 0, name.length)
    if (table === undefined) {
      table = hostTable()
      tables.add(hash, name, table)
    }
    return table
  }
}

function hostTable<T>(): HostTable<T> {
  return {
    exact: new TextTable(),
    prefixes: new TextTable(),
    starts: new TextTable(),
    any: { orders: [], tests: [], values: [] },
  }
}

function passes(tests: readonly Predicate[], request: HttpRequest): boolean {
  for (let i = 0; i < tests.length; i++) if (!tests[i]!(request)) return false
  return true
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(array.length * 2)
  longer.set(array)
  return longer
}
