import type { SocketAddress } from '@steelyard/core'
import type { TlsFacts } from '@steelyard/l4'
import type { ExchangeError } from './exchange-error.ts'
import type { ExchangeEndedBy, ExchangeRecord, ExchangeTimes } from './exchange-record.ts'
import type { ExchangeRun } from './exchange-run.ts'
import type { HttpRequest } from './http-request.ts'

/** The record of a finished {@link ExchangeRun}. What costs something is made when it is asked for. */
export class RunRecord implements ExchangeRecord {
  readonly status: number
  readonly backendStatus: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly attempts: number
  readonly reused: boolean
  readonly reason: string
  readonly endedBy: ExchangeEndedBy
  readonly error: ExchangeError | undefined
  readonly times: ExchangeTimes
  readonly time: number
  readonly #run: ExchangeRun

  constructor(
    run: ExchangeRun,
    reason: string,
    endedBy: ExchangeEndedBy,
    error: ExchangeError | undefined,
  ) {
    const { clock, startedAt, responseAt, leg } = run
    const now = clock.now()
    this.#run = run
    this.status = run.status
    this.backendStatus = run.backendStatus
    this.bytesIn = run.bytesIn
    this.bytesOut = run.bytesOut
    this.attempts = run.attempts
    this.reused = run.reused
    this.reason = reason
    this.endedBy = endedBy
    this.error = error
    this.time = clock.wallNow() - (now - startedAt)
    this.times = {
      head: startedAt - leg.headBegan,
      queue: run.queuedMs,
      connect: run.connectMs,
      firstByte: run.firstByteMs,
      response: responseAt < 0 ? -1 : now - responseAt,
      total: now - startedAt,
    }
  }

  get id(): string {
    return this.#run.id
  }

  get listener(): string {
    return this.#run.listener
  }

  get client(): SocketAddress {
    const { connection, request } = this.#run
    const { client } = request
    if (client === connection.client.address) return connection.client
    return { address: client, port: 0, family: client.includes(':') ? 6 : 4 }
  }

  get tls(): TlsFacts | undefined {
    return this.#run.connection.tls
  }

  get request(): HttpRequest {
    return this.#run.request
  }

  get route(): string | undefined {
    return this.#run.route
  }

  get pool(): string | undefined {
    return this.#run.pool?.name
  }

  get backend(): string | undefined {
    return this.#run.lastBackend?.id
  }

  get backendAddress(): string | undefined {
    return this.#run.lastBackend?.address
  }

  get flags(): readonly string[] {
    return this.#run.flags
  }

  responseHeader(name: string): string | undefined {
    return this.#run.sentHead?.get(name)
  }
}
