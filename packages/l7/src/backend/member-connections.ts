import type { CloseReason } from './connection-stats.ts'
import type { ConnectionKeeper, H1Connection } from './h1-connection.ts'
import type { UpstreamSettings } from './upstream-settings.ts'

/** What {@link MemberConnections} needs of the pool that it is in. */
export interface MemberHost {
  readonly settings: UpstreamSettings
  readonly closing: boolean
  /** Monotonic milliseconds, at most one sweep old; sweeps happen from now on. */
  coarseNow(): number
  left(member: MemberConnections, connection: H1Connection, reason: CloseReason): void
}

/** How long before the member itself an idle connection is closed, in milliseconds. */
const hintMargin = 1000

/** The limit of one whose member says when it closes. */
function firstToClose({ keepAliveMs, idleLimit }: H1Connection): number {
  return Math.min(idleLimit, keepAliveMs - hintMargin)
}

/**
 * The connections to one member at one address. The idle ones are a list from the one that became idle last, which is
 * taken first: so the fewest connections stay in use, and the others grow old and go.
 */
export class MemberConnections implements ConnectionKeeper {
  readonly id: string
  readonly address: string
  /** Idle or at work. */
  open = 0
  idle = 0
  /** Connects that are under way for it. */
  seeking = 0
  /** With `auto`: what the last handshake agreed on. */
  speaks: 'http/1.1' | undefined = undefined
  readonly #host: MemberHost
  /** Nothing is kept any more, and why. */
  #retired: CloseReason | undefined = undefined
  #newest: H1Connection | undefined = undefined
  #oldest: H1Connection | undefined = undefined

  constructor(id: string, address: string, host: MemberHost) {
    this.id = id
    this.address = address
    this.#host = host
  }

  /** The connection that became idle last. */
  take(provenOnly: boolean): H1Connection | undefined {
    for (let each = this.#newest; each !== undefined; each = each.older) {
      if (each.fit && (!provenOnly || each.reused)) {
        this.#unlink(each)
        return each
      }
    }
    return undefined
  }

  /** Takes this one if it is idle here. */
  takeThis(connection: H1Connection, provenOnly: boolean): boolean {
    if (!connection.isIdle || connection.keeper !== this || !connection.fit) return false
    if (provenOnly && !connection.reused) return false
    this.#unlink(connection)
    return true
  }

  settled(connection: H1Connection): void {
    const reason = this.#flaw(connection)
    if (reason !== undefined) return connection.close(reason)
    connection.idleSince = this.#host.coarseNow()
    connection.isIdle = true
    connection.older = this.#newest
    if (this.#newest === undefined) this.#oldest = connection
    else this.#newest.newer = connection
    this.#newest = connection
    this.idle += 1
    if (this.idle > this.#host.settings.maxIdle) this.#oldest!.close('max-idle')
  }

  left(connection: H1Connection, reason: CloseReason): void {
    if (connection.isIdle) this.#unlink(connection)
    this.open -= 1
    this.#host.left(this, connection, reason)
  }

  /** Closes those that have been idle for too long. */
  sweep(now: number): void {
    for (let each = this.#oldest; each !== undefined; ) {
      const { newer } = each
      const limit = each.keepAliveMs < 0 ? each.idleLimit : firstToClose(each)
      if (now - each.idleSince >= limit) each.close('idle-timeout')
      each = newer
    }
  }

  /** Closes what is idle now, and everything else when it becomes so. */
  retire(reason: CloseReason): void {
    this.#retired = reason
    while (this.#oldest !== undefined) this.#oldest.close(reason)
  }

  #flaw(connection: H1Connection): CloseReason | undefined {
    const { reuse, maxRequests } = this.#host.settings
    if (connection.keepAliveMs >= 0 && firstToClose(connection) <= 0) return 'not-kept'
    if (this.#host.closing) return 'shutdown'
    if (this.#retired !== undefined) return this.#retired
    if (connection.orphaned) return 'forgotten'
    if (reuse === 'never') return 'policy'
    if (connection.worn) return 'lifetime'
    return maxRequests > 0 && connection.requests >= maxRequests ? 'max-requests' : undefined
  }

  #unlink(connection: H1Connection): void {
    const { newer, older } = connection
    if (newer === undefined) this.#newest = older
    else newer.older = older
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    connection.newer = undefined
    connection.older = undefined
    connection.isIdle = false
    this.idle -= 1
  }
}
