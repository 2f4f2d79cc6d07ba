import type { BackendLeg } from '../backend/backend-leg.ts'
import type { ClientLeg } from '../client/client-leg.ts'
import { Head } from '../wire/head.ts'
import { type BodyLength, unknownLength } from '../wire/request-head.ts'
import { ResponseHead } from '../wire/response-head.ts'
import type { BodyTransformer } from './body-transform.ts'
import type { Exchange } from './exchange.ts'
import type { FieldEditor } from './field-editor.ts'
import { FieldEdits, ResponseEdits } from './field-edits.ts'
import type { FilterChain } from './filter-chain.ts'
import { isPromise } from './promised.ts'
import { type PipeEnd, TransformPipe } from './transform-pipe.ts'

/** Whom a {@link ResponseRelay} tells. */
export interface ResponseOwner {
  /** The head is on its way to the client; `status` is what it says. With `watched` its end is still to come. */
  responseBegun(status: number, watched: boolean): void
  /** The response is whole, and the client has it. */
  responseDone(): void
  /** A hook or a transform threw. */
  responseFailed(error: unknown, what: string): void
  /** A hook threw when nothing could be changed any more. */
  complain(error: unknown, what: string): void
  /** Body bytes moved, either way. */
  moved(): void
}

/** The response on its way from the member to the client: its head through the hooks, its body through the transforms. */
export class ResponseRelay implements PipeEnd {
  /** Body bytes given to the client. */
  bytesOut = 0
  /** The final head was given to the client's leg. */
  begun = false
  /** The client takes no more at the moment. */
  full = false
  /** What the client was sent, where somebody will ask for it. */
  sentHead: ResponseHead | undefined = undefined
  readonly #leg: ClientLeg
  readonly #owner: ResponseOwner
  readonly #x: Exchange
  #chain: FilterChain
  #source: BackendLeg | undefined = undefined
  /** Nothing follows the head. */
  #noBody = false
  /** Body bytes that the client is still to be given, as its head says; {@link unknownLength} when it does not. */
  #due: BodyLength = unknownLength
  #keepsHead = false
  #pipe: TransformPipe | undefined = undefined
  #trailers: Head | undefined = undefined
  /** What came from the member while a hook was thinking. */
  #held: { readonly pieces: Uint8Array[]; ended: boolean } | undefined = undefined
  #over = false

  constructor(leg: ClientLeg, owner: ResponseOwner, x: Exchange, chain: FilterChain) {
    this.#leg = leg
    this.#owner = owner
    this.#x = x
    this.#chain = chain
  }

  /** A hook is thinking about the head. */
  get thinking(): boolean {
    return this.#held !== undefined
  }

  /** The filters of the route, once it is known. */
  use(chain: FilterChain): void {
    this.#chain = chain
  }

  /**
   * Takes a member's final head, ready but for the hooks.
   *
   * @param length - what follows; with `noBody` what would
   * @param fields - the route's own changes
   */
  begin(
    head: ResponseHead,
    length: BodyLength,
    noBody: boolean,
    source: BackendLeg,
    fields: ((head: FieldEditor, x: Exchange) => void) | undefined,
    keepsHead: boolean,
  ): void {
    this.#source = source
    this.#noBody = noBody
    this.#keepsHead = keepsHead
    const hooks = this.#chain.responseHead
    if (fields === undefined && hooks.length === 0) return this.#send(head, length)
    const edits = new ResponseEdits().on(head, length)
    let what = ''
    try {
      fields?.(edits, this.#x)
      for (let i = 0; i < hooks.length; i++) {
        what = hooks[i]!.name
        const promised = hooks[i]!.responseHead(edits, this.#x)
        if (isPromise(promised)) return this.#think(promised, i + 1, edits, head, length)
      }
    } catch (error) {
      return this.#owner.responseFailed(error, what)
    }
    // The head is the connection's: a hook that kept its hands on it must not reach into the next response.
    edits.on(new ResponseHead(0, 1))
    this.#send(head, length)
  }

  /** Sends an answer of our own, whole. What its hooks promise is not waited for. */
  answer(head: ResponseHead, bytes: Uint8Array, close: boolean, keeps: boolean): void {
    const edits = new ResponseEdits().on(head, bytes.length)
    for (const filter of this.#chain.responseHead) {
      try {
        const promised = filter.responseHead(edits, this.#x)
        if (isPromise(promised)) {
          promised.catch((error: unknown) => this.#owner.complain(error, filter.name))
        }
      } catch (error) {
        this.#owner.complain(error, filter.name)
      }
    }
    this.begun = true
    if (keeps) this.sentHead = head
    this.#owner.responseBegun(head.status, false)
    // After the hooks: one of them may have changed the status.
    const noBody = this.#x.request.method === 'HEAD' || isBodiless(head.status)
    this.#leg.sendHead(head, bytes.length, noBody, close)
    if (bytes.length === 0 || noBody) return
    this.bytesOut += bytes.length
    this.#leg.sendBody(bytes)
  }

  body(bytes: Uint8Array): void {
    if (this.#held === undefined) this.#toClient(bytes)
    else this.#held.pieces.push(new Uint8Array(bytes))
  }

  end(trailers: Head | undefined): void {
    this.#source = undefined
    if (this.#held !== undefined) {
      this.#held.ended = true
      this.#trailers = copyOf(trailers)
      return
    }
    this.#ended(trailers)
    // With transforms more may follow later: what is here goes, because nobody will tell that the piece is worked off.
    this.settled()
  }

  /** The member has told what came in one piece. */
  settled(): void {
    if (this.begun && !this.#over) this.#leg.flush()
  }

  clientDrained(): void {
    this.full = false
    this.#owner.moved()
    if (this.#pipe !== undefined) return this.#pipe.drained()
    if (this.#held === undefined) this.#source?.resumeBody()
  }

  destroy(): void {
    this.#over = true
    this.#held = undefined
    this.#source = undefined
    this.#pipe?.destroy()
  }

  pipeData(_pipe: TransformPipe, bytes: Uint8Array): boolean {
    this.#owner.moved()
    return this.#give(bytes)
  }

  pipeEnd(): void {
    this.#finish(this.#trailers)
  }

  pipeFailed(_pipe: TransformPipe, error: unknown): void {
    this.#owner.responseFailed(error, 'a transform of the response')
  }

  pipeReady(): void {
    this.#source?.resumeBody()
  }

  pipeComplains(_pipe: TransformPipe, error: unknown): void {
    this.#owner.complain(error, 'a transform of the response')
  }

  /** Keeps what the member sends until the hooks have decided. */
  #think(
    promised: Promise<void>,
    from: number,
    edits: ResponseEdits,
    lent: ResponseHead,
    length: BodyLength,
  ): void {
    const head = new ResponseHead(0, lent.count)
    head.layOver(lent)
    head.reserve(0)
    // The hook that thinks holds these edits, and goes on with them.
    edits.on(head, length)
    const held = { pieces: [] as Uint8Array[], ended: false }
    this.#held = held
    this.#source?.pauseBody()
    this.#hooksDone(promised, from, edits).then(
      () => {
        if (this.#over) return
        this.#held = undefined
        this.#send(head, length)
        let more = true
        for (const piece of held.pieces) more = this.#toClient(piece)
        if (held.ended) this.#ended(this.#trailers)
        else if (more) this.#source?.resumeBody()
        this.settled()
      },
      (error: unknown) => {
        if (!this.#over) this.#owner.responseFailed(error, 'a hook of the response')
      },
    )
  }

  async #hooksDone(promised: Promise<void>, from: number, edits: ResponseEdits): Promise<void> {
    const hooks = this.#chain.responseHead
    await promised
    for (let i = from; i < hooks.length && !this.#over; i++) {
      await hooks[i]!.responseHead(edits, this.#x)
    }
  }

  #send(head: ResponseHead, declared: BodyLength): void {
    let length = this.#judgeStatus(head.status, declared)
    const ends = length === 0 || this.#noBody
    if (this.#chain.responseBody.length > 0 && !isBodiless(head.status)) {
      try {
        if (this.#openPipe(head, length)) length = unknownLength
      } catch (error) {
        return this.#owner.responseFailed(error, 'a transform of the response')
      }
    }
    this.begun = true
    this.#due = length
    if (this.#keepsHead) {
      this.sentHead = new ResponseHead(0, head.count)
      this.sentHead.layOver(head)
      // Its bytes are the backend connection's, which may serve somebody else before this exchange is over.
      this.sentHead.reserve(0)
    }
    // In HTTP/2 an end may be late though nothing comes before it.
    const watched = !ends || this.#pipe !== undefined || this.#source?.shared === true
    this.#owner.responseBegun(head.status, watched)
    this.#leg.sendHead(head, length, this.#noBody, false)
    // Only HTTP/1.1 tells when a piece is worked off.
    if (this.#source?.shared !== false) this.#leg.flush()
  }

  /** A hook may have changed the status, and with it whether a body may follow: returns the length as it is now. */
  #judgeStatus(status: number, length: BodyLength): BodyLength {
    if (isBodiless(status)) this.#noBody = true
    else if (this.#noBody && this.#x.request.method !== 'HEAD') {
      this.#noBody = false
      return 0
    }
    return length
  }

  /** True when the transforms may change the length. HEAD is told what GET would be, and nothing is opened. */
  #openPipe(head: ResponseHead, length: BodyLength): boolean {
    const edits = new ResponseEdits().on(head, length)
    const transformers: BodyTransformer[] = []
    for (const filter of this.#chain.responseBody) {
      const transformer = filter.responseBody(edits, this.#x)
      if (transformer !== undefined) transformers.push(transformer)
    }
    if (transformers.length === 0) return false
    if (!this.#noBody) this.#pipe = new TransformPipe(transformers, this)
    return transformers.some(({ unchanged }) => unchanged !== true)
  }

  #toClient(bytes: Uint8Array): boolean {
    if (this.#over) return true
    this.#owner.moved()
    const more = this.#pipe === undefined ? this.#give(bytes) : this.#pipe.write(bytes)
    if (!more) this.#source?.pauseBody()
    return more
  }

  #give(bytes: Uint8Array): boolean {
    if (this.#over || this.#noBody) return true
    if (this.#due >= 0) {
      this.#due -= bytes.length
      if (this.#due < 0) {
        this.#misframed('more')
        return true
      }
    }
    this.bytesOut += bytes.length
    if (this.#leg.sendBody(bytes)) return true
    this.full = !this.#over
    return false
  }

  #ended(trailers: Head | undefined): void {
    if (this.#over) return
    if (this.#pipe === undefined) return this.#finish(trailers)
    this.#trailers = copyOf(trailers)
    this.#pipe.end()
  }

  #finish(trailers: Head | undefined): void {
    if (this.#due > 0 && !this.#noBody) return this.#misframed('less')
    if (trailers !== undefined && this.#chain.trailers.length > 0) {
      const edits = new FieldEdits().on(trailers)
      for (const filter of this.#chain.trailers) {
        try {
          filter.trailers(edits, this.#x)
        } catch (error) {
          this.#owner.complain(error, filter.name)
        }
      }
    }
    this.#leg.finish(trailers)
    this.#owner.responseDone()
  }

  /** A transform said that it leaves the bytes as they are, and did not: the client must not take what follows for another response. */
  #misframed(how: 'more' | 'less'): void {
    const error = new Error(`it gave ${how} than the head says`)
    this.#owner.responseFailed(error, 'a transform of the response')
  }
}

/** No body follows a head of this status (RFC 9110 section 6.4.1). */
function isBodiless(status: number): boolean {
  return status === 204 || status === 304
}

function copyOf(head: Head | undefined): Head | undefined {
  if (head === undefined) return undefined
  const copy = new Head(0, head.count)
  copy.layOver(head)
  copy.reserve(0)
  return copy
}
