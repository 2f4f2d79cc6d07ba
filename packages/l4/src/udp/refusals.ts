import type { UdpMember } from './membership.ts'

/** How long a refusal counts. */
const rememberMs = 30_000
/** Clients remembered at most; the oldest are forgotten first. */
const capacity = 4096

/**
 * Which member has just refused a client (ICMP port unreachable), so that the client's next session goes
 * elsewhere even when the algorithm, which may always choose the same for it, has not heard yet.
 */
export class Refusals {
  readonly #byClient = new Map<string, { readonly member: UdpMember; readonly until: number }>()

  remember(client: string, member: UdpMember, now: number): void {
    this.#byClient.delete(client)
    // Oldest first, which is also the order of expiry.
    for (const [oldest, { until }] of this.#byClient) {
      if (now < until && this.#byClient.size < capacity) break
      this.#byClient.delete(oldest)
    }
    this.#byClient.set(client, { member, until: now + rememberMs })
  }

  /** The member that refused this client lately. */
  recall(client: string, now: number): UdpMember | undefined {
    const refusal = this.#byClient.get(client)
    if (refusal === undefined) return undefined
    if (now < refusal.until) return refusal.member
    this.#byClient.delete(client)
    return undefined
  }

  forgetAll(): void {
    this.#byClient.clear()
  }

  get size(): number {
    return this.#byClient.size
  }
}
