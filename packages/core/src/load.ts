/**
 * Live counters of a pool's members, by slot. A slot is a small number that a member keeps for as long
 * as it is in the pool or has connections; the arrays lie in shared memory so that several workers can
 * count together.
 */
export interface LoadTable {
  /** Open connections. */
  readonly active: Int32Array
  /** Connections opened since the member took the slot. */
  readonly total: Float64Array
  /** Failed connects and the like. */
  readonly failures: Float64Array
  /** Slots there is room for. */
  readonly capacity: number
  /** Open connections of all slots together. */
  sum(): number
}

/** The owner's side of a {@link LoadTable}. */
export interface MutableLoadTable extends LoadTable {
  /** Counts an open connection. */
  open(slot: number): void
  /** Counts it closed. */
  close(slot: number): void
  /** Counts a failure. */
  fail(slot: number): void
  /** Sets a slot's counters to zero, for its next owner. */
  clear(slot: number): void
}

/** Makes room for `capacity` members. */
export function loadTable(capacity: number): MutableLoadTable {
  const sums = new Int32Array(new SharedArrayBuffer(4))
  const active = new Int32Array(new SharedArrayBuffer(4 * capacity))
  const total = new Float64Array(new SharedArrayBuffer(8 * capacity))
  const failures = new Float64Array(new SharedArrayBuffer(8 * capacity))
  return {
    active,
    total,
    failures,
    capacity,
    sum: () => sums[0]!,
    open(slot) {
      Atomics.add(active, slot, 1)
      Atomics.add(sums, 0, 1)
      total[slot]! += 1
    },
    close(slot) {
      Atomics.sub(active, slot, 1)
      Atomics.sub(sums, 0, 1)
    },
    fail(slot) {
      failures[slot]! += 1
    },
    clear(slot) {
      Atomics.sub(sums, 0, Atomics.exchange(active, slot, 0))
      total[slot] = 0
      failures[slot] = 0
    },
  }
}
