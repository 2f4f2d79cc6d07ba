import {
  addressHash,
  isSteelyardError,
  type Pool,
  type SocketAddress,
  SteelyardError,
  type Stream,
  type StreamHandler,
  type TransportError,
  Tried,
  untried,
  type Waiter,
  WheelTimer,
} from '@steelyard/core'
import { rethrow } from '../transport/stream.ts'
import type { SessionHost } from './session-host.ts'
import type { EndReason } from './session-record.ts'
import type { TcpSettings } from './settings.ts'
import type { Target } from './target.ts'

/** Whom a {@link Dial} serves, and whom it tells how it went. */
export interface DialOwner {
  /** The client. */
  readonly source: SocketAddress
  /** A member is connected, its TLS handshake done; the stream is paused. Called once, or `unreachable` is. */
  reached(backend: Stream): void
  unreachable(reason: EndReason, error: SteelyardError): void
  /** It must wait for a member with room. */
  waiting(): void
  /** Writes what must come before TLS and the client's bytes: the PROXY header. */
  introduce(backend: Stream): void
}

/**
 * Finds a member for one connection: picks, waits for room, connects, and walks on to the next candidate
 * within the retry budget. Holds the pool's count for the member it is on until {@link Dial.release}.
 */
export class Dial implements StreamHandler, Waiter {
  /** The member's slot while the pool counts this connection on it, else -1. */
  slot = -1
  attempts = 0
  /** How long the successful connect took. */
  connectMs = 0
  queuedMs = 0
  readonly #host: SessionHost
  readonly #settings: TcpSettings
  readonly #target: Target
  readonly #pool: Pool
  readonly #owner: DialOwner
  readonly #timer: WheelTimer
  #tried: Tried = untried
  #key = 0
  #startedAt = 0
  #queuedAt = -1
  #stream: Stream | undefined
  #abort: AbortController | undefined
  #failure: SteelyardError | undefined
  /** It has told its owner, or was abandoned. */
  #over = false

  constructor(host: SessionHost, settings: TcpSettings, target: Target, owner: DialOwner) {
    this.#host = host
    this.#settings = settings
    this.#target = target
    this.#pool = target.pool
    this.#owner = owner
    this.#timer = new WheelTimer(() => this.#expired())
  }

  start(): void {
    const { key } = this.#pool
    if (key !== 'none') {
      const { address, port } = this.#owner.source
      this.#key = addressHash(address, key === 'source-port' ? port : undefined)
    }
    this.#settings.retryBudget?.record()
    this.#walk()
  }

  /** Gives up whatever it is doing, without telling the owner. */
  abandon(): void {
    this.#over = true
    this.#host.wheel.disarm(this.#timer)
    this.#leaveQueue()
    this.#drop()
    this.release()
  }

  /** The member that it connects to went down: goes on to the next candidate. */
  memberDown(): void {
    if (this.#over || this.slot < 0) return
    const address = this.#address()
    this.#drop()
    this.#failed(
      new SteelyardError(`${address} went down while it was being connected`, {
        code: 'closed',
        source: 'system',
        retryable: true,
      }),
    )
  }

  /** The connection is over: the pool's count goes down. */
  release(): void {
    if (this.slot < 0) return
    const { slot } = this
    this.slot = -1
    this.#pool.closed(slot)
  }

  /** Room may have come: pick again. */
  proceed(): boolean {
    return this.#walk()
  }

  opened(stream: Stream): void {
    if (stream !== this.#stream) return
    try {
      this.#owner.introduce(stream)
    } catch (error) {
      this.#drop()
      return this.#failed(startFailure(error))
    }
    if (stream !== this.#stream) return
    const { originator } = this.#target
    if (originator === undefined) return this.#connected(stream)
    const abort = new AbortController()
    this.#stream = undefined
    this.#abort = abort
    const { host, port } = this.#pool.backendAt(this.slot)
    const { transport } = this.#host
    originator.originate(stream, { host, port, transport, signal: abort.signal }).then(
      ({ stream: secure }) => {
        if (this.#abort === abort) this.#connected(secure)
        else secure.destroy()
      },
      (error: SteelyardError) => {
        if (this.#abort === abort) this.#failed(error)
      },
    )
  }

  data(): void {
    // Only paused streams are dialled; nothing is read before the relay.
  }

  ended(): void {}

  drained(): void {}

  closed(stream: Stream, error: TransportError | undefined): void {
    if (stream !== this.#stream) return
    this.#failed(
      error ??
        new SteelyardError(`${this.#address()} closed while it was being connected`, {
          code: 'closed',
          source: 'backend',
          retryable: true,
        }),
    )
  }

  /** Tries the next candidate; false when it must wait for room, or still must. */
  #walk(): boolean {
    if (this.#over) return true
    let slot: number
    try {
      slot = this.#pool.pick(this.#key, this.#tried, this.#owner.source.address)
    } catch (error) {
      // The picker may be the embedder's: its bug must not keep our count or our place in the queue.
      rethrow(error)
      this.#leaveQueue()
      this.#failure = startFailure(error)
      this.#giveUp('error', this.#failure.message)
      return true
    }
    const { size } = this.#pool.roster.current
    if (slot < 0 && this.#hasUntried()) {
      if (this.#queuedAt < 0) this.#queue()
      return false
    }
    this.#leaveQueue()
    if (slot >= 0) this.#connect(slot)
    else if (size === 0)
      this.#giveUp('no-backend', `pool "${this.#pool.name}" has no usable member`)
    else
      this.#giveUp(
        'connect-failed',
        `no member of pool "${this.#pool.name}" could be reached: ${this.#failure?.message ?? 'none admits one more'}`,
      )
    return true
  }

  #connect(slot: number): void {
    const { transport, wheel, clock, counters } = this.#host
    const { timeouts, keepAliveMs } = this.#settings
    const { host, port } = this.#pool.backendAt(slot)
    const localAddress = port === 0 ? undefined : this.#target.sourceAddresses?.next(host)
    this.slot = slot
    this.#pool.opened(slot)
    this.attempts += 1
    if (this.attempts > 1) counters.retries += 1
    this.#startedAt = clock.now()
    if (timeouts.connect > 0) wheel.arm(this.#timer, timeouts.connect)
    try {
      this.#stream = transport.connect(
        {
          ...(port === 0 ? { path: host } : { host, port }),
          ...(localAddress === undefined ? {} : { localAddress }),
          ...(keepAliveMs === 0 ? {} : { keepAlive: keepAliveMs }),
        },
        this,
      )
    } catch (error) {
      const attempt = this.attempts
      // Not from within: the pool may be walking its queue, where we must not line up again meanwhile.
      queueMicrotask(() => {
        if (!this.#over && this.attempts === attempt && this.slot === slot) {
          this.#failed(startFailure(error))
        }
      })
    }
  }

  #connected(stream: Stream): void {
    this.#abort = undefined
    // Still ours while the pool tells of it: whoever cuts the connection now closes the stream too.
    this.#stream = stream
    this.#host.wheel.disarm(this.#timer)
    this.connectMs = this.#host.clock.now() - this.#startedAt
    try {
      this.#pool.succeeded(this.slot, this.connectMs)
    } catch (error) {
      rethrow(error)
    }
    if (this.#stream !== stream) return
    this.#stream = undefined
    this.#over = true
    this.#owner.reached(stream)
  }

  #failed(error: SteelyardError): void {
    const { slot } = this
    this.#host.wheel.disarm(this.#timer)
    this.#stream = undefined
    this.#abort = undefined
    this.#host.counters.connectFailures += 1
    if (this.#tried === untried) this.#tried = new Tried()
    this.#tried.add(slot)
    this.#failure = error
    // Want of descriptors or of a source port is our own fault: the member must not pay for it.
    if (isMembers(error)) {
      try {
        this.#pool.failed(slot, error)
      } catch (thrown) {
        rethrow(thrown)
      }
    }
    this.release()
    // Whoever heard of it from the pool may have cut the connection.
    if (this.#over) return
    if (!mayGoOn(error) || this.attempts > this.#settings.retries) {
      return this.#giveUp('connect-failed', error.message)
    }
    if (this.#hasUntried() && this.#settings.retryBudget?.tryRetry() === false) {
      return this.#giveUp('connect-failed', `${error.message}; the retry budget is spent`)
    }
    this.#walk()
  }

  #hasUntried(): boolean {
    return this.#pool.roster.current.slots.some((slot) => !this.#tried.has(slot))
  }

  #queue(): void {
    if (!this.#pool.queue.join(this)) {
      return this.#giveUp(
        'queue-full',
        `${this.#pool.queue.limit} connections wait for pool "${this.#pool.name}" already`,
      )
    }
    const { clock, wheel, counters } = this.#host
    counters.queued += 1
    this.#queuedAt = clock.now()
    const { queue } = this.#settings.timeouts
    if (queue > 0) wheel.arm(this.#timer, Math.max(0, queue - this.queuedMs))
    this.#owner.waiting()
  }

  #leaveQueue(): void {
    if (this.#queuedAt < 0) return
    this.#pool.queue.leave(this)
    this.#host.wheel.disarm(this.#timer)
    this.#host.counters.queued -= 1
    this.queuedMs += this.#host.clock.now() - this.#queuedAt
    this.#queuedAt = -1
  }

  #expired(): void {
    if (this.#queuedAt >= 0) {
      this.#leaveQueue()
      return this.#giveUp(
        'queue-timeout',
        `no member of pool "${this.#pool.name}" had room within ${this.#settings.timeouts.queue} ms`,
      )
    }
    this.#drop()
    this.#failed(
      new SteelyardError(
        `connect to ${this.#address()} timed out after ${this.#settings.timeouts.connect} ms`,
        {
          code: 'timed-out',
          source: 'backend',
          retryable: true,
        },
      ),
    )
  }

  /** Lets go of the connect or handshake at work; nothing more is heard of it. */
  #drop(): void {
    const stream = this.#stream
    const abort = this.#abort
    this.#stream = undefined
    this.#abort = undefined
    abort?.abort()
    stream?.destroy()
  }

  #giveUp(reason: EndReason, message: string): void {
    const cause = this.#failure
    const error = new SteelyardError(message, {
      code: reason === 'error' ? 'io' : reason,
      source: cause === undefined || isMembers(cause) ? 'backend' : cause.source,
      retryable: true,
      ...(cause === undefined ? {} : { cause }),
    })
    const overTls = reason === 'connect-failed' && cause?.code.startsWith('tls-') === true
    this.#over = true
    this.#owner.unreachable(overTls ? 'backend-tls-failed' : reason, error)
  }

  #address(): string {
    return this.#pool.backendAt(this.slot).address
  }
}

/** Is it the member who failed, and not we? */
function isMembers({ source }: SteelyardError): boolean {
  return source === 'backend' || source === 'peer'
}

/** Can another member do better? Without descriptors none can; a path that we may not open is that member's alone. */
function mayGoOn({ code, retryable }: SteelyardError): boolean {
  return code !== 'too-many-files' && (retryable || code === 'permission-denied')
}

function startFailure(cause: unknown): SteelyardError {
  if (isSteelyardError(cause)) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new SteelyardError(`the connect could not be started: ${reason}`, {
    code: 'io',
    source: 'system',
    retryable: true,
    cause,
  })
}
