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
}

/** How a {@link RequestRelay} works, as the route says. */
export interface RequestRelayInit {
  /** 0: any length. */
  readonly maxBody: number
  /** Bytes kept for another attempt; 0 for none. */
  readonly replayBytes: number
  readonly transformers: readonly BodyTransformer[]
  /** Who waits for 100 Continue gets it from us. */
  readonly answersContinue: boolean
}

/** The request's body on its way from the client to the member of the moment; and what is kept of it for another one. */
export class RequestRelay implements PipeEnd {
  /** Body bytes that came. */
  bytesIn = 0
  /** The client has sent all of it. */
  whole: boolean
  /** The client was asked for its body, and it is not held back now. */
  wanted = false
  /** Monotonic milliseconds of the first time that it was asked; -1 before. */
  askedAt = -1
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
  /** The transforms leave the bytes as they are. */
  #unchanged = true
  #replay: ReplayBuffer | undefined = undefined
  #trailers: Head | undefined = undefined

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

  /** Could all of it be sent once more? */
  get repeatable(): boolean {
    if (!this.#unchanged) return false
    return this.bytesIn === 0 || this.#replay?.whole === true
  }

  /** To be called once, before the first attempt, when there is a body. */
  open(init: RequestRelayInit): void {
    this.#init = init
    if (init.transformers.length === 0) return
    this.#unchanged = init.transformers.every(({ unchanged }) => unchanged === true)
    if (!this.#unchanged) this.#length = unknownLength
    this.#pipe = new TransformPipe(init.transformers, this)
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
    if (this.#through) return this.#finish()
    if (this.whole) return
    const { replayBytes = 0, answersContinue = false } = this.#init ?? {}
    if (replayBytes > 0) this.#replay ??= new ReplayBuffer(replayBytes)
    if (answersContinue) this.#leg.sendContinue()
    this.#resume()
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
    if (this.#gathering > 0) return this.#gathered(trailers)
    if (this.#pipe !== undefined) return this.#pipe.end()
    this.#through = true
    this.#trailers = trailers
    this.#finish()
  }

  /** The member takes more. */
  drained(): void {
    if (this.#pipe === undefined) this.#resume()
    else this.#pipe.drained()
  }

  pause(): void {
    if (!this.wanted) return
    this.wanted = false
    this.#leg.pauseBody()
  }

  destroy(): void {
    this.#target = undefined
    this.#pipe?.destroy()
  }

  pipeData(_pipe: TransformPipe, bytes: Uint8Array): boolean {
    return this.#toTarget(bytes)
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

  /** The body is here: from now on it is sent like one that is sent again. */
  #gathered(trailers: Head | undefined): void {
    this.#gathering = 0
    const pipe = this.#pipe
    if (pipe === undefined) {
      this.#length = this.bytesIn
      this.#through = true
      this.#trailers = trailers
    } else {
      const raw = this.#replay!
      this.#replay = new ReplayBuffer(Number.MAX_SAFE_INTEGER)
      for (const piece of raw.pieces) pipe.write(piece)
      pipe.end()
    }
    this.#owner.requestGathered()
  }

  #toTarget(bytes: Uint8Array): boolean {
    this.progress += bytes.length
    this.#replay?.add(bytes)
    // Between two attempts: what may be sent again is kept, and nothing else is asked for.
    return this.#target?.sendBody(bytes) ?? false
  }

  #finish(): void {
    const target = this.#target
    if (target === undefined || this.#sent) return
    this.#sent = true
    this.#owner.requestSent()
    target.finish(this.#trailers)
  }

  #resume(): void {
    if (this.wanted || this.whole) return
    this.wanted = true
    if (this.askedAt < 0) this.askedAt = this.#clock.now()
    this.#leg.resumeBody()
  }
}
