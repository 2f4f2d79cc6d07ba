import type { Socket } from 'node:net'
import type {
  ErrorSource,
  SocketAddress,
  Stream,
  StreamHandler,
  TransportError,
} from '@steelyard/core'
import { SendQueue } from './send-queue.ts'
import { addressText, unnamed } from './socket-address.ts'
import { handlerFailure, type TransportAction, transportError } from './transport-error.ts'
import type { Wire, WireOwner } from './wire.ts'

/** Hears a stream that nobody has claimed. */
export const unowned: StreamHandler = Object.freeze({
  data() {},
  ended() {},
  drained() {},
  closed() {},
})

/** The default for what a handler throws: an uncaught error, as visible as any, and the transport goes on. */
export function rethrow(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}

/** How a {@link NodeStream} is made. */
export interface NodeStreamInit {
  readonly handler: StreamHandler
  readonly state: 'connecting' | 'open'
  /** An accepted stream stands still until its owner resumes it. */
  readonly paused: boolean
  /** Whose fault the failures of this stream are. */
  readonly source: ErrorSource
  /** Told what a handler threw. */
  readonly report: (error: unknown) => void
}

/**
 * The one place where a stream's life is decided: what may still be read and written, when it is over,
 * what its handler hears and in which order. The bytes are the {@link Wire}'s business.
 */
export class NodeStream implements Stream, WireOwner {
  handler: StreamHandler
  context: unknown = undefined
  bytesRead = 0
  bytesWritten = 0
  /** The next address to try when this one fails; false when there is none left. */
  retryConnect: (() => boolean) | undefined = undefined
  readonly #source: ErrorSource
  readonly #report: (error: unknown) => void
  #wire: Wire | undefined = undefined
  #state: 'connecting' | 'open' | 'closed'
  #paused: boolean
  /** The peer's FIN has come. */
  #ended = false
  /** The owner has called `end`. */
  #ending = false
  /** Our FIN is out. */
  #finished = false
  #wantsDrained = false
  /** `closed` was told, or will never be. */
  #over = false
  #failure: TransportError | undefined = undefined
  /** What was written before the connection stood. */
  #early: SendQueue | undefined = undefined
  #local: SocketAddress | undefined = undefined
  #remote: SocketAddress | undefined = undefined

  constructor(init: NodeStreamInit) {
    this.handler = init.handler
    this.#state = init.state
    this.#paused = init.paused
    this.#source = init.source
    this.#report = init.report
  }

  get state(): 'connecting' | 'open' | 'closed' {
    return this.#state
  }

  get ended(): boolean {
    return this.#ended
  }

  get pending(): number {
    if (this.#state === 'closed') return 0
    return (this.#early?.size ?? 0) + (this.#wire?.pending ?? 0)
  }

  get local(): SocketAddress {
    if (this.#state !== 'open') return this.#local ?? unnamed
    this.#local ??= this.#wire?.local()
    return this.#local ?? unnamed
  }

  get remote(): SocketAddress {
    if (this.#state === 'open') this.#remote ??= this.#wire?.remote()
    return this.#remote ?? unnamed
  }

  /** What is known of the ends before the kernel is asked. */
  presume(local: SocketAddress | undefined, remote: SocketAddress | undefined): void {
    this.#local = local
    this.#remote = remote
  }

  /** Sets the socket beneath, once. */
  attach(wire: Wire): void {
    this.#wire = wire
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ending || this.#state === 'closed') return true
    this.bytesWritten += bytes.length
    if (this.#state === 'connecting') {
      this.#early ??= new SendQueue()
      this.#early.append(bytes)
      this.#wantsDrained = true
      return false
    }
    if (this.#wire!.write(bytes)) return true
    this.#wantsDrained = true
    return false
  }

  end(): void {
    if (this.#ending || this.#state === 'closed') return
    this.#ending = true
    if (this.#state === 'open') this.#wire!.finish(this.#ended)
  }

  reset(): void {
    if (this.#state === 'closed') return
    this.#leave()
    if (this.#wire === undefined) this.#closeWithoutWire()
    else this.#wire.reset()
  }

  destroy(): void {
    this.#close(undefined)
  }

  pause(): void {
    if (this.#paused) return
    this.#paused = true
    if (this.#state === 'open' && !this.#ended) this.#wire!.readStop()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#state === 'open' && !this.#ended) this.#wire!.readStart()
  }

  /** Gives up the connection without a `closed`; undefined when there is none to give. */
  release(): Socket | undefined {
    if (this.#state !== 'open') return undefined
    this.#leave()
    this.#over = true
    const socket = this.#wire!.detach()
    if (this.#ended) socket.push(null)
    if (this.#ending) socket.end()
    return socket
  }

  wireOpened(): void {
    if (this.#state !== 'connecting') return
    this.#state = 'open'
    this.retryConnect = undefined
    // What the kernel says now, with the address and port it chose.
    this.#local = undefined
    const early = this.#early
    this.#early = undefined
    for (let chunk = early?.shift(); chunk !== undefined; chunk = early?.shift()) {
      this.#wire!.write(chunk)
      // A failed write has closed us.
      if ((this.#state as string) === 'closed') return
    }
    if (this.#ending) this.#wire!.finish(false)
    try {
      this.handler.opened?.(this)
    } catch (error) {
      this.#fault(error)
    }
    if (this.#state !== 'open') return
    if (this.#wantsDrained && this.#wire!.pending === 0) this.wireDrained()
    if (this.#state === 'open' && !this.#paused) this.#wire!.readStart()
  }

  wireRead(bytes: Uint8Array): void {
    if (this.#state !== 'open') return
    this.bytesRead += bytes.length
    try {
      this.handler.data(this, bytes)
    } catch (error) {
      this.#fault(error)
    }
  }

  wireEnded(): void {
    if (this.#state !== 'open' || this.#ended) return
    this.#ended = true
    try {
      this.handler.ended(this)
    } catch (error) {
      this.#fault(error)
    }
    if (this.#finished) this.#close(undefined)
  }

  wireDrained(): void {
    if (this.#state !== 'open' || !this.#wantsDrained) return
    this.#wantsDrained = false
    try {
      this.handler.drained(this)
    } catch (error) {
      this.#fault(error)
    }
  }

  wireFinished(): void {
    if (this.#state !== 'open') return
    this.#finished = true
    if (this.#ended) this.#close(undefined)
  }

  wireFailed(failure: unknown, action: TransportAction): void {
    if (this.#state === 'closed') return
    if (this.#state === 'connecting' && this.retryConnect?.() === true) return
    this.#close(transportError(failure, action, addressText(this.remote), this.#source))
  }

  wireClosed(): void {
    if (this.#over) return
    this.#over = true
    try {
      this.handler.closed(this, this.#failure)
    } catch (error) {
      this.#report(error)
    }
  }

  #close(failure: TransportError | undefined): void {
    if (this.#state === 'closed') return
    this.#failure = failure
    this.#leave()
    if (this.#wire === undefined) this.#closeWithoutWire()
    else this.#wire.close()
  }

  /** The ends stay known after the close; the kernel is asked while it still can tell. */
  #leave(): void {
    if (this.#state === 'open') {
      this.#local ??= this.#wire!.local()
      this.#remote ??= this.#wire!.remote()
    }
    this.#state = 'closed'
    this.#early = undefined
    this.retryConnect = undefined
  }

  #closeWithoutWire(): void {
    process.nextTick(closeNow, this)
  }

  #fault(error: unknown): void {
    this.#report(error)
    this.#close(handlerFailure(error))
  }
}

function closeNow(stream: NodeStream): void {
  stream.wireClosed()
}
