import { Head } from './head.ts'
import { latin1 } from './latin1.ts'

/** How a request says how long its body is, as the gate has judged it; a response the same. */
export type BodyLength = number

/** The body's length is not known before its end: chunked, or a stream's end. */
export const unknownLength = -1

/** The head of a request: its start line, and its lines. */
export class RequestHead extends Head {
  /** In upper case as it came; one of the methods that may pass. */
  method = ''
  /** 10 for HTTP/1.0, 11 for HTTP/1.1, 20 for HTTP/2. */
  version = 11
  /** The target as it came, in {@link Head.bytes}. */
  targetStart = 0
  targetEnd = 0
  /** `https` or `http`, of an absolute-form target or of HTTP/2's `:scheme`; empty when it was not said. */
  targetScheme = ''

  // What the gate has found out. Written by `judgeRequest`.

  /** The authority that is routed on and sent on: host in lower case without port and trailing dot; empty for none. */
  host = ''
  /** The port that the client named; 0 for none. */
  port = 0
  /** `host` or `host:port` as sent on. */
  authority = ''
  /** The path in its one form, beginning with `/`, or `*`. It is matched and sent on. */
  path = '/'
  /** What is behind `?`, without it; undefined when there is no `?`. */
  query: string | undefined = undefined
  /** 0 for no body; {@link unknownLength} for chunked. */
  bodyLength: BodyLength = 0
  /** The client lets its connection be used again. */
  keepAlive = true
  /** The one protocol asked for by Upgrade that may pass, in lower case; empty for none. HTTP/2's extended CONNECT the same. */
  upgrade = ''
  /** The client waits for a 100 before it sends the body. */
  expectsContinue = false
  /** The client takes trailers. */
  acceptsTrailers = false

  override reset(): void {
    super.reset()
    this.method = ''
    this.version = 11
    this.targetStart = 0
    this.targetEnd = 0
    this.targetScheme = ''
    this.host = ''
    this.port = 0
    this.authority = ''
    this.path = '/'
    this.query = undefined
    this.bodyLength = 0
    this.keepAlive = true
    this.upgrade = ''
    this.expectsContinue = false
    this.acceptsTrailers = false
  }

  /** {@link Head.layOver}; of a request's head also what its start line says and the gate has found out. */
  override layOver(other: Head): void {
    super.layOver(other)
    if (!(other instanceof RequestHead)) return
    this.method = other.method
    this.version = other.version
    this.targetStart = other.targetStart
    this.targetEnd = other.targetEnd
    this.targetScheme = other.targetScheme
    this.host = other.host
    this.port = other.port
    this.authority = other.authority
    this.path = other.path
    this.query = other.query
    this.bodyLength = other.bodyLength
    this.keepAlive = other.keepAlive
    this.upgrade = other.upgrade
    this.expectsContinue = other.expectsContinue
    this.acceptsTrailers = other.acceptsTrailers
  }

  /** The target as it came. */
  get rawTarget(): string {
    return latin1(this.bytes, this.targetStart, this.targetEnd)
  }

  /** Path and query as they are sent on. */
  get target(): string {
    return this.query === undefined ? this.path : `${this.path}?${this.query}`
  }
}
