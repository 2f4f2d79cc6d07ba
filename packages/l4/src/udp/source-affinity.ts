import type { UdpMember } from './membership.ts'

interface Source {
  /** Where new sessions of this source go; undefined after its member refused. */
  member: UdpMember | undefined
  sessions: number
}

/** Which member each client address has, for as long as any of its ports has a session. */
export class SourceAffinity {
  readonly #sources = new Map<string, Source>()

  find(address: string): UdpMember | undefined {
    return this.#sources.get(address)?.member
  }

  /** A session of this address begins on this member, and the next ones follow it. */
  join(address: string, member: UdpMember): void {
    const source = this.#sources.get(address)
    if (source === undefined) {
      this.#sources.set(address, { member, sessions: 1 })
    } else {
      source.member = member
      source.sessions += 1
    }
  }

  /** New sessions of this address go there from now on. */
  move(address: string, member: UdpMember): void {
    const source = this.#sources.get(address)
    if (source !== undefined) source.member = member
  }

  /** New sessions of this address no longer go to this member. */
  forget(address: string, member: UdpMember): void {
    const source = this.#sources.get(address)
    if (source?.member === member) source.member = undefined
  }

  /** One session of this address is over. */
  leave(address: string): void {
    const source = this.#sources.get(address)
    if (source === undefined) return
    source.sessions -= 1
    if (source.sessions === 0) this.#sources.delete(address)
  }
}
