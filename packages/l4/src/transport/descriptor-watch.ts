import { readFileSync } from 'node:fs'

/** Below the limit by this much, and the table counts as relieved. */
const relief = 16

/**
 * Notices that the process has no descriptor left. libuv then turns connections away without a word, but
 * the kernel gives out the lowest free number: who gets the last one knows that all others are taken.
 */
export class DescriptorWatch {
  readonly #limit: number
  #full = false

  /** @param limit - descriptors that the process may have; infinite when unknown. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** True when this descriptor was the last one, once until the table is relieved. */
  exhausted(descriptor: number): boolean {
    if (descriptor >= this.#limit - 1) {
      const before = this.#full
      this.#full = true
      return !before
    }
    if (this.#full && descriptor < this.#limit - relief) this.#full = false
    return false
  }
}

/** The soft limit of open files as Linux tells it; infinite elsewhere. */
export function descriptorLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1]
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    // Not Linux, or no /proc: the watch then stays silent, which is all that it can do.
    return Number.POSITIVE_INFINITY
  }
}
