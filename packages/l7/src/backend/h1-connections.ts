import type { Backend, Stream } from '@steelyard/core'
import type { ExchangeError } from '../exchange/exchange-error.ts'
import type { LegSearch, LegSeeker } from './backend-leg.ts'
import type { ConnectionStats } from './connection-stats.ts'
import type { BackendConnections, LegDemand } from './connections.ts'
import type { Dial, Dialler, DialOwner } from './dial.ts'
import type { IdlePool } from './idle-pool.ts'
import type { MemberConnections } from './member-connections.ts'

/** HTTP/1.1 to members: a connection is one exchange's at a time. */
export class H1Connections implements BackendConnections {
  readonly #pool: IdlePool
  readonly #dialler: Dialler

  constructor(pool: IdlePool, dial: Dialler) {
    this.#pool = pool
    this.#dialler = dial
  }

  seek(backend: Backend, seeker: LegSeeker, demand: LegDemand): LegSearch | undefined {
    const pool = this.#pool
    const member = pool.member(backend)
    if (demand.mayReuse) {
      const idle = pool.take(member, ownerOf(pool, demand), demand.provenOnly === true)
      if (idle !== undefined) {
        idle.serve(seeker)
        seeker.connected(idle)
        return undefined
      }
    }
    const search = new H1Search(pool, member, seeker, demand)
    return search.start(this.#dialler, backend) ? search : undefined
  }

  get open(): number {
    return this.#pool.open
  }

  idle(backendId?: string): number {
    return this.#pool.idle(backendId)
  }

  forget(backendId: string): void {
    this.#pool.forget(backendId)
  }

  clientGone(clientId: number): void {
    this.#pool.clientGone(clientId)
  }

  stats(): ConnectionStats {
    return this.#pool.stats()
  }

  close(): void {
    this.#pool.close()
  }
}

/** With PROXY headers a connection speaks for one client: it is that client's connection's own. */
export function ownerOf(pool: IdlePool, demand: LegDemand): number {
  return pool.settings.sendProxy === undefined ? 0 : demand.client.id
}

/** One request for a new connection. */
class H1Search implements LegSearch, DialOwner {
  readonly #pool: IdlePool
  readonly #member: MemberConnections
  readonly #seeker: LegSeeker
  readonly #demand: LegDemand
  #dial: Dial | undefined = undefined
  #over = false

  constructor(pool: IdlePool, member: MemberConnections, seeker: LegSeeker, demand: LegDemand) {
    this.#pool = pool
    this.#member = member
    this.#seeker = seeker
    this.#demand = demand
  }

  /** False when it is over already. */
  start(dial: Dialler, backend: Backend): boolean {
    const { client, connectTimeoutMs } = this.#demand
    this.#pool.sought(this.#member)
    const dialling = dial.dial(backend, client, connectTimeoutMs, this)
    if (this.#over) return false
    this.#dial = dialling
    return true
  }

  cancel(): void {
    if (this.#over) return
    this.#end()
    this.#dial?.cancel()
  }

  dialled(stream: Stream): void {
    const connection = this.#pool.add(this.#member, stream, ownerOf(this.#pool, this.#demand))
    this.#end()
    connection.serve(this.#seeker)
    this.#seeker.connected(connection)
  }

  dialFailed(error: ExchangeError): void {
    this.#pool.counters.connectFailures += 1
    this.#end()
    this.#seeker.unconnected(error)
  }

  #end(): void {
    this.#over = true
    this.#pool.found(this.#member)
  }
}
