import type { Clock, SocketAddress } from '@steelyard/core'
import type { TlsFacts } from '@steelyard/l4'
import type { RequestHead } from '../wire/request-head.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import type { ExchangeError } from './exchange-error.ts'
import type { ExchangeEndedBy, ExchangeRecord, ExchangeTimes } from './exchange-record.ts'

/** Whose records these are. */
export interface RefusalHost {
  readonly name: string
  readonly clock: Clock
  newId(): string
}

const nothingReached: ExchangeTimes = Object.freeze({
  head: 0,
  queue: -1,
  connect: -1,
  firstByte: -1,
  response: -1,
  total: 0,
})

/** The record of a request that was refused by its head: no exchange was begun. */
export class RefusalRecord implements ExchangeRecord {
  readonly id: string
  readonly listener: string
  readonly time: number
  readonly client: SocketAddress
  readonly tls: TlsFacts | undefined
  readonly request = undefined
  readonly route = undefined
  readonly pool = undefined
  readonly backend = undefined
  readonly backendAddress = undefined
  readonly status: number
  readonly backendStatus = 0
  readonly bytesIn = 0
  readonly bytesOut = 0
  readonly attempts = 0
  readonly reused = false
  readonly endedBy: ExchangeEndedBy = 'client'
  readonly reason: string
  readonly flags: readonly string[] = []
  readonly times: ExchangeTimes = nothingReached
  readonly error: ExchangeError

  constructor(
    host: RefusalHost,
    connection: ConnectionFacts,
    error: ExchangeError,
    status: number,
    _request: RequestHead | undefined,
  ) {
    this.id = host.newId()
    this.listener = host.name
    this.time = host.clock.wallNow()
    this.client = connection.client
    this.tls = connection.tls
    this.status = status
    this.reason = error.code
    this.error = error
  }

  responseHeader(): undefined {
    return undefined
  }
}
