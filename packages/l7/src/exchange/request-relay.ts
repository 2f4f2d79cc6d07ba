import type { Clock } from '@steelyard/core'
import type { BackendLeg } from '../backend/backend-leg.ts'
import type { ClientLeg } from '../client/client-leg.ts'
import type { Head } from '../wire/head.ts'
import { type BodyLength, unknownLength } from '../wire/request-head.ts'
import type { BodyTransformer } from './body-transform.ts'
import { ReplayBuffer } from './replay-buffer.ts'
import { type PipeEnd, TransformPipe } from './transform-pipe.ts'

/** Whom a {@link RequestRelay} tells. */
export interface RequestOwner {
  /** All of the request was handed to the member. */
  requestSent(): void
  /** All of the body is here, and no member was troubled yet: see {@link RequestRelay.gather}. */
  requestGathered(): void
  requestTooLarge(limit: number): void
  /** A transform of the body threw or gave up. */
  requestFailed(error: unknown): void
  /** A transform threw when it was let go. */
  complain(error: unknown, what: string): void
}

/** How a {@link RequestRelay} works, as the route says. */
export interface RequestRelayInit {
  /** 0: any length. */
  readonly maxBody: number
  /** Bytes kept for another attempt; 0 for none. */
  readonly replayBytes: number
  /**
   * Any failure may lead to another attempt. Without it only a member that says it did nothing does, which HTTP/2 alone
   * can say once it has a part of the body.
   */
  readonly repeats: boolean
  readonly transformers: readonly BodyTransformer[]
  /** Who waits for 100 Continue gets it from us. */
  readonly answersContinue: boolean
}

/** A transform may give bytes before a member is there: so many are kept for it. */
const earlyBytes = 65_536

/** The request's body on its way from the client to the member of the moment; and what is kept of it for another one. */
export class RequestRelay implements PipeEnd {
  /** Body bytes that came. */
  bytesIn = 0
  /** The client has sent all of it. */
  whole: boolean
  /** The client was asked for its body, and it is not held back now. */
  wanted = false
  /** Monotonic milliseconds since when it is {@link RequestRelay.wanted}. */
  wantedSince = 0
  /** Bytes that moved, into it and out of it. */
  progress = 0
  readonly #leg: ClientLeg
  readonly #clock: Clock
  readonly #owner: RequestOwner
  #init: RequestRelayInit | undefined = undefined
  #length: BodyLength
  #target: BackendLeg | undefined = undefined
  #sent = false
  /** All of the body has been through the transforms. */
  #through: boolean
  /** What is gathered before a member is troubled, at most; 0 when it is not. */
  #gathering = 0
  #pipe: TransformPipe | undefined = undefined
  /** The transforms wait until there is somebody who takes more. */
  #refused = false
  /** Something of it was for a member. */
  #given = false
  #replay: ReplayBuffer | undefined = undefined
  #trailers: Head | undefined = undefined
  /** Milliseconds for which it was wanted, before it was held back. */
  #wantedMs = 0

  constructor(leg: ClientLeg, clock: Clock, owner: RequestOwner) {
    this.#leg = leg
    this.#clock = clock
    this.#owner = owner
    this.whole = leg.request.bodyLength === 0
    this.#through = this.whole
    this.#length = leg.request.bodyLength
  }

  /** As the member is told it. */
  get length(): BodyLength {
    return this.#length
  }

  /** Could all of it be sent, or sent once more, to a member that knows nothing of it? */
  get repeatable(): boolean {
    return !this.#given || this.#replay?.whole === true
  }

  /** To be called once, before the first attempt, when there is a body. */
  open(init: RequestRelayInit): void {
    this.#init = init
    const { replayBytes, transformers } = init
    if (transformers.length === 0) {
      if (replayBytes > 0) this.#replay = new ReplayBuffer(replayBytes)
      return
    }
    this.#replay = new ReplayBuffer(Math.max(replayBytes, earlyBytes))
    const unchanged = transformers.every((transformer) => transformer.unchanged === true)
    if (!unchanged) this.#length = unknownLength
    this.#pipe = new TransformPipe(transformers, this)
  }

  /** Reads the whole body, of at most `limit` bytes, before a member is troubled; then {@link RequestOwner.requestGathered}. */
  gather(limit: number): void {
    this.#gathering = limit
    this.#replay = new ReplayBuffer(limit)
    if (this.#init?.answersContinue === true) this.#leg.sendContinue()
    this.#resume()
  }

  /** Sends what is here already to a member that got the head, and asks for more. */
  sendTo(target: BackendLeg): void {
    this.#target = target
    this.#sent = false
    if (this.#replay !== undefined) for (const piece of this.#replay.pieces) target.sendBody(piece)
    if (this.#target !== target) return
    const { replayBytes = 0, repeats = true } = this.#init ?? {}
    if (replayBytes === 0 || !(repeats || target.shared)) this.#replay?.spill()
    if (this.#through) return this.#finish()
    if (this.#init?.answersContinue === true) this.#leg.sendContinue()
    this.drained()
  }

  /** A second member is asked for the same thing; there is no body. */
  repeatTo(target: BackendLeg): void {
    target.finish(this.#trailers)
  }

  /** The attempt is over. Nothing more is taken from the client meanwhile. */
  leave(): void {
    this.#target = undefined
    this.pause()
  }

  /** An answer has come: no other attempt will need what was kept. */
  settle(): void {
    this.#replay?.spill()
  }

  /** Milliseconds for which the client was asked for its body so far; not those in which it was held back. */
  wantedMs(now: number): number {
    return this.#wantedMs + (this.wanted ? now - this.wantedSince : 0)
  }

  /** Only now the client knows that its body is wanted. */
  continued(): void {
    this.#wantedMs = 0
    this.wantedSince = this.#clock.now()
  }

  body(bytes: Uint8Array): void {
    this.bytesIn += bytes.length
    this.progress += bytes.length
    const { maxBody = 0 } = this.#init ?? {}
    if (maxBody > 0 && this.bytesIn > maxBody) return this.#owner.requestTooLarge(maxBody)
    const gathering = this.#gathering
    if (gathering > 0) {
      if (this.bytesIn > gathering) this.#owner.requestTooLarge(gathering)
      else this.#replay!.add(bytes)
      return
    }
    const more = this.#pipe === undefined ? this.#toTarget(bytes) : this.#pipe.write(bytes)
    if (!more) this.pause()
  }

  end(trailers: Head | undefined): void {
    if (this.whole) return
    this.whole = true
    this.wanted = false
    if (this.#gathering > 0) return this.#gathered(trailers)
    if (this.#pipe !== undefined) return this.#pipe.end()
    this.#through = true
    this.#trailers = trailers
    this.#finish()
  }

  /** The member takes more. */
  drained(): void {
    if (this.#refused) {
      this.#refused = false
      this.#pipe?.drained()
    }
    // Transforms that cannot take more say so when they are given the next piece.
    if (!this.#refused) this.#resume()
  }

  pause(): void {
    if (!this.wanted) return
    this.wanted = false
    this.#wantedMs += this.#clock.now() - this.wantedSince
    this.#leg.pauseBody()
  }

  destroy(): void {
    this.#target = undefined
    this.#pipe?.destroy()
  }

  pipeData(_pipe: TransformPipe, bytes: Uint8Array): boolean {
    const taken = this.#toTarget(bytes)
    if (!taken) this.#refused = true
    return taken
  }

  pipeEnd(): void {
    this.#through = true
    this.#finish()
  }

  pipeFailed(_pipe: TransformPipe, error: unknown): void {
    this.#owner.requestFailed(error)
  }

  pipeReady(): void {
    this.#resume()
  }

  pipeComplains(_pipe: TransformPipe, error: unknown): void {
    this.#owner.complain(error, 'a transform of the request')
  }

  /** The body is here: from now on it is sent like one that is sent again. */
  #gathered(trailers: Head | undefined): void {
    const pipe = this.#pipe
    if (pipe === undefined) {
      this.#given = true
      this.#length = this.bytesIn
      this.#through = true
      this.#trailers = trailers
    } else {
      const raw = this.#replay!
      this.#replay = new ReplayBuffer(Math.max(this.#gathering, earlyBytes))
      for (const piece of raw.pieces) pipe.write(piece)
      pipe.end()
    }
    this.#gathering = 0
    this.#owner.requestGathered()
  }

  #toTarget(bytes: Uint8Array): boolean {
    this.progress += bytes.length
    this.#given = true
    this.#replay?.add(bytes)
    // Between two attempts: what may be sent again is kept, and nothing else is asked for.
    return this.#target?.sendBody(bytes) ?? false
  }

  #finish(): void {
    const target = this.#target
    if (target === undefined || this.#sent) return
    this.#sent = true
    this.#owner.requestSent()
    // It may be another's by now: whoever heard of it may have changed the plan.
    if (this.#target === target) target.finish(this.#trailers)
  }

  #resume(): void {
    if (this.wanted || this.whole) return
    if (this.#target === undefined && this.#gathering === 0) return
    this.wanted = true
    this.wantedSince = this.#clock.now()
    this.#leg.resumeBody()
  }
}
