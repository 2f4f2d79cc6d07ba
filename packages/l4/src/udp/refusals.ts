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
    if (this.#byClient.size >= capacity) {
      for (const oldest of this.#byClient.keys()) {
        this.#byClient.delete(oldest)
        break
      }
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

  get size(): number {
    return this.#byClient.size
  }
}
