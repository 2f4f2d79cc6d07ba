import { once } from 'node:events'
import { createServer } from 'node:net'
import {
  backend,
  type Logger,
  silentLog,
  systemClock,
  type Transport,
  timerWheel,
} from '@steelyard/core'
import { nodeTransport } from '@steelyard/l4'
import type { BackendLeg, LegSearch, LegSeeker } from '../../../src/backend/backend-leg.ts'
import { h2Sessions } from '../../../src/backend/h2/h2-sessions.ts'
import type { SessionPool } from '../../../src/backend/session-pool.ts'
import type { UpstreamOptions } from '../../../src/backend/upstream-options.ts'
import type { ClientEvents, ClientLeg } from '../../../src/client/client-leg.ts'
import type { H2Options } from '../../../src/client/h2/h2-options.ts'
import { type H2Server, h2Server } from '../../../src/client/h2/h2-server.ts'
import { ExchangeError } from '../../../src/exchange/exchange-error.ts'
import { gateSettings } from '../../../src/gate/gate-options.ts'
import type { Head } from '../../../src/wire/head.ts'
import type { ResponseHead } from '../../../src/wire/response-head.ts'
import { factsOf } from '../../client/h2/h2-lab.ts'
import { demand } from './backend-lab.ts'

/** The least that joins a client's leg to a backend's: what an exchange does without routes, filters and retries. */
class Pump implements ClientEvents, LegSeeker {
  readonly #client: ClientLeg
  readonly #log: Logger
  #backend: BackendLeg | undefined
  #search: LegSearch | undefined
  #tunnel = false
  #requestEnded: boolean
  #over = false

  constructor(client: ClientLeg, log: Logger) {
    this.#client = client
    this.#log = log
    this.#requestEnded = client.request.bodyLength === 0
  }

  begin(pool: SessionPool, member: ReturnType<typeof backend>): void {
    const upgrade = this.#client.request.upgrade !== ''
    this.#search = pool.seek(member, this, demand({ client: this.#client.connection, upgrade }))
  }

  connected(leg: BackendLeg): void {
    if (this.#over) return leg.abort()
    this.#backend = leg
    const { request } = this.#client
    leg.sendHead(request, request.bodyLength, request.upgrade)
    if (!this.#requestEnded) this.#client.resumeBody()
  }

  unconnected(error: ExchangeError): void {
    this.#fail(error)
  }

  requestBody(bytes: Uint8Array): void {
    if (this.#backend?.sendBody(bytes) === false) this.#client.pauseBody()
  }

  requestEnd(trailers: Head | undefined): void {
    this.#requestEnded = true
    this.#backend?.finish(trailers)
  }

  clientDrained(): void {
    this.#backend?.resumeBody()
  }

  clientClosed(): void {
    if (this.#over) return
    this.#over = true
    this.#search?.cancel()
    this.#backend?.abort()
    this.#client.release(false)
  }

  informational(head: ResponseHead): void {
    this.#client.sendInformational(head)
  }

  responseHead(head: ResponseHead): void {
    if (head.status === 101) {
      this.#tunnel = true
      this.#client.switchProtocols(head)
      this.#backend!.switchProtocols()
      this.#client.resumeBody()
      this.#backend!.resumeBody()
      return
    }
    const { method } = this.#client.request
    const noBody = method === 'HEAD' || head.status === 204 || head.status === 304
    this.#client.sendHead(head, head.bodyLength, noBody, false)
    this.#client.flush()
  }

  responseBody(bytes: Uint8Array): void {
    if (!this.#client.sendBody(bytes)) this.#backend!.pauseBody()
  }

  responseEnd(trailers: Head | undefined): void {
    if (!this.#requestEnded && !this.#tunnel) {
      this.#client.discardBody()
      this.#backend!.abort()
    }
    this.#client.finish(trailers)
    if (this.#tunnel) return
    this.#over = true
    this.#client.release(false)
  }

  backendDrained(): void {
    this.#client.resumeBody()
  }

  backendFailed(error: ExchangeError): void {
    this.#fail(error)
  }

  #fail(error: ExchangeError): void {
    if (this.#over) return
    this.#over = true
    this.#log.debug({ error }, 'failed')
    this.#client.abort(
      new ExchangeError('x', { code: error.code, source: 'backend', phase: 'connect' }),
    )
    this.#client.release(false)
  }
}

export interface JoinedProxy extends AsyncDisposable {
  readonly port: number
  readonly server: H2Server
  readonly pool: SessionPool
  /** Why attempts failed. */
  readonly failures: readonly string[]
}

/** An HTTP/2 proxy to one member: our client side and our backend side, joined. */
export async function joinedProxy(
  address: string,
  options: { readonly h2?: H2Options; readonly upstream?: UpstreamOptions } = {},
): Promise<JoinedProxy> {
  const clock = systemClock
  const wheel = timerWheel({ clock })
  const transport: Transport = nodeTransport()
  const failures: string[] = []
  const log: Logger = {
    ...silentLog,
    debug(fields) {
      const { error } = fields as { error?: Error }
      if (error !== undefined) failures.push(error.message)
    },
    error(fields) {
      failures.push(String((fields as { error?: Error }).error?.stack))
    },
  }
  const pool = h2Sessions(
    { protocol: 'h2', ...options.upstream },
    { transport, wheel, clock, log, random: () => 0.5 },
  )
  const member = backend(address)
  const server = h2Server(
    options.h2 ?? {},
    {
      begin(leg) {
        const pump = new Pump(leg, log)
        pump.begin(pool, member)
        return pump
      },
      refused() {},
    },
    { gate: gateSettings({}), log, clock, wheel },
  )
  const sockets = new Set<{ destroy(): void }>()
  const listener = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket)
    server.adopt(socket, factsOf(socket))
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return {
    port: (listener.address() as { port: number }).port,
    server,
    pool,
    failures,
    async [Symbol.asyncDispose]() {
      server.cut()
      pool.close()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
      wheel[Symbol.dispose]()
    },
  }
}
