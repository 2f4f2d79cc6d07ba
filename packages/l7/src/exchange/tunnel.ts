import { createHash } from 'node:crypto'
import { type Relay, type TimerWheel, type Transport, WheelTimer } from '@steelyard/core'
import type { BackendLeg } from '../backend/backend-leg.ts'
import type { ClientLeg } from '../client/client-leg.ts'
import { Field } from '../wire/field.ts'
import type { RequestHead } from '../wire/request-head.ts'
import type { ResponseHead } from '../wire/response-head.ts'
import { ExchangeError } from './exchange-error.ts'
import type { ExchangeEndedBy } from './exchange-record.ts'

/** What a {@link Tunnel} needs. */
export interface TunnelInit {
  readonly transport: Transport
  readonly wheel: TimerWheel
  /** Ends when nothing moved for so long; 0 for never. */
  readonly idleMs: number
  /** Both directions are over; once. */
  readonly ended: (by: ExchangeEndedBy, error: ExchangeError | undefined) => void
}

/**
 * The two legs after an upgrade: bytes both ways, whatever they mean. Where both are connections of the transport, it
 * joins them itself.
 */
export class Tunnel {
  readonly #client: ClientLeg
  readonly #backend: BackendLeg
  readonly #init: TunnelInit
  readonly #timer: WheelTimer
  #relay: Relay | undefined
  #bytesIn = 0
  #bytesOut = 0
  #clientEnded = false
  #backendEnded = false
  #endedBy: ExchangeEndedBy = 'balancer'
  #moved = -1
  #over = false

  constructor(client: ClientLeg, backend: BackendLeg, init: TunnelInit) {
    this.#client = client
    this.#backend = backend
    this.#init = init
    this.#timer = new WheelTimer(() => this.#look())
  }

  /** Bytes from the client so far. */
  get bytesIn(): number {
    return this.#bytesIn + (this.#relay?.bytesAtoB ?? 0)
  }

  /** Bytes to the client. */
  get bytesOut(): number {
    return this.#bytesOut + (this.#relay?.bytesBtoA ?? 0)
  }

  /** Agrees to the upgrade, and begins. */
  open(head: ResponseHead): void {
    const { transport, wheel, idleMs } = this.#init
    this.#client.switchProtocols(head)
    this.#backend.switchProtocols()
    if (idleMs > 0) wheel.arm(this.#timer, idleMs)
    const a = this.#backend.shared ? undefined : this.#client.releaseTunnel()
    if (a === undefined) {
      this.#client.resumeBody()
      this.#backend.resumeBody()
      return
    }
    const b = this.#backend.releaseTunnel()
    if (b === undefined) {
      // The client's connection is in our hands already, and there is nobody to join it with.
      a.stream.reset()
      return this.#end('backend', broken('backend', new Error('it is closed')))
    }
    if (a.early.length > 0) b.stream.write(a.early)
    if (b.early.length > 0) a.stream.write(b.early)
    this.#bytesIn = a.early.length
    this.#bytesOut = b.early.length
    this.#relay = transport.relay(a.stream, b.stream, {
      done: ({ by, error }) => {
        const who = by === 'a' ? 'client' : by === 'b' ? 'backend' : 'balancer'
        this.#end(who, error === undefined ? undefined : broken(who, error))
      },
    })
  }

  fromClient(bytes: Uint8Array): void {
    this.#bytesIn += bytes.length
    if (!this.#backend.sendBody(bytes)) this.#client.pauseBody()
  }

  fromBackend(bytes: Uint8Array): void {
    this.#bytesOut += bytes.length
    if (!this.#client.sendBody(bytes)) this.#backend.pauseBody()
  }

  clientDrained(): void {
    this.#backend.resumeBody()
  }

  backendDrained(): void {
    this.#client.resumeBody()
  }

  clientEnded(): void {
    if (this.#clientEnded || this.#over) return
    this.#clientEnded = true
    this.#backend.finish(undefined)
    this.#halfEnded('client')
  }

  backendEnded(): void {
    if (this.#backendEnded || this.#over) return
    this.#backendEnded = true
    this.#client.finish(undefined)
    this.#halfEnded('backend')
  }

  /** One side broke. */
  failed(error: ExchangeError): void {
    if (this.#over) return
    const who = error.source === 'client' ? 'client' : 'backend'
    this.#client.abort(error)
    this.#backend.abort()
    this.#end(who, error)
    this.#relay?.stop('reset')
  }

  /** Ends both sides at once and tells nobody. */
  destroy(): void {
    if (this.#over) return
    this.#over = true
    this.#init.wheel.disarm(this.#timer)
    if (this.#relay !== undefined) return this.#relay.stop('reset')
    this.#client.abort(undefined)
    this.#backend.abort()
  }

  #halfEnded(by: ExchangeEndedBy): void {
    if (this.#clientEnded && this.#backendEnded) return this.#end(this.#endedBy, undefined)
    this.#endedBy = by
  }

  #look(): void {
    if (this.#over) return
    const { wheel, idleMs } = this.#init
    const moved = this.bytesIn + this.bytesOut
    if (moved !== this.#moved) {
      this.#moved = moved
      return wheel.arm(this.#timer, idleMs)
    }
    const error = new ExchangeError(`nothing moved for ${idleMs} ms`, {
      code: 'idle-timeout',
      source: 'system',
      phase: 'tunnel',
    })
    const relay = this.#relay
    if (relay === undefined) {
      this.#client.abort(error)
      this.#backend.abort()
    }
    this.#end('balancer', error)
    relay?.stop('destroy')
  }

  #end(by: ExchangeEndedBy, error: ExchangeError | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#init.wheel.disarm(this.#timer)
    this.#init.ended(by, error)
  }
}

function broken(who: 'client' | 'backend' | 'balancer', cause: Error): ExchangeError {
  return new ExchangeError(`the tunnel broke: ${cause.message}`, {
    code: who === 'client' ? 'client-aborted' : 'backend-reset',
    source: who === 'client' ? 'client' : 'backend',
    phase: 'tunnel',
    cause,
  })
}

const webSocketGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** What is wrong with a 101: it must agree to what was asked, and prove it where the protocol has a proof (RFC 6455 section 4.1). */
export function upgradeProblem(request: RequestHead, head: ResponseHead): string | undefined {
  const { upgrade } = request
  if (upgrade === '') return 'the backend switched protocols, which nobody asked for'
  const line = head.indexOf(Field.upgrade)
  const agreed = line < 0 ? '' : head.valueAt(line).toLowerCase()
  if (agreed !== upgrade) return `the backend switched to another protocol than ${upgrade}`
  if (upgrade !== 'websocket') return undefined
  const key = request.indexOf(Field.secWebSocketKey)
  const accept = head.indexOf(Field.secWebSocketAccept)
  const wanted = createHash('sha1')
    .update((key < 0 ? '' : request.valueAt(key)) + webSocketGuid, 'latin1')
    .digest('base64')
  if (accept >= 0 && head.valueAt(accept) === wanted) return undefined
  return 'the backend gave no proof that it speaks websocket: sec-websocket-accept is wrong'
}
