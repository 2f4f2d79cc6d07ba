import { type Circuit, type CircuitRule, type CircuitState, circuit } from './circuit.ts'

/** A circuit, as status pages show it. */
export interface CircuitStatus {
  readonly circuit: string
  /** An open one whose time is over is probed by the next request, and shown as `open` until then. */
  readonly state: CircuitState
  /** Milliseconds until it is probed; 0 unless it is open. */
  readonly retryMs: number
  /** Results in the window, and the bad ones among them. */
  readonly requests: number
  readonly errors: number
  readonly slow: number
}

/** Circuits by name, in a bounded number. */
export interface CircuitTable {
  /** Made when it is new; beyond the bound the oldest that is closed goes. */
  of(name: string): Circuit
  peek(name: string): Circuit | undefined
  status(now: number): readonly CircuitStatus[]
}

/** Closed circuits looked at for one to forget. */
const looks = 8

/** Makes a {@link CircuitTable}. */
export function circuitTable(rule: CircuitRule, most: number): CircuitTable {
  const table = new Map<string, Circuit>()
  const forgetOne = (): void => {
    let looked = 0
    for (const [name, { state }] of table) {
      if (state === 'closed' || ++looked >= looks) {
        table.delete(name)
        return
      }
    }
  }
  return {
    of(name) {
      let one = table.get(name)
      if (one === undefined) {
        if (table.size >= most) forgetOne()
        one = circuit(rule)
        table.set(name, one)
      }
      return one
    },
    peek: (name) => table.get(name),
    status: (now) =>
      [...table].map(([name, one]) => {
        one.window.advance(now)
        const { total, errors, slow } = one.window
        return {
          circuit: name,
          state: one.state,
          retryMs: one.retryMs(now),
          requests: total,
          errors,
          slow,
        }
      }),
  }
}
