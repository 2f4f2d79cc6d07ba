import { Head } from './head.ts'
import type { BodyLength } from './request-head.ts'

/** The head of a response: its status, and its lines. */
export class ResponseHead extends Head {
  /** 100 to 599. */
  status = 0
  /** The reason phrase as it came; empty in HTTP/2. */
  reason = ''
  /** 10, 11 or 20, as with requests. */
  version = 11

  // What the framing says, written by `judgeResponse`.

  /** 0 for no body, also when the request's method or the status forbids one. */
  bodyLength: BodyLength = 0
  /** The body ends with the connection: the backend said no length. */
  untilClose = false
  /** The backend lets the connection be used again. */
  keepAlive = true

  override reset(): void {
    super.reset()
    this.status = 0
    this.reason = ''
    this.version = 11
    this.bodyLength = 0
    this.untilClose = false
    this.keepAlive = true
  }

  /** {@link Head.layOver}; of a response's head also what its start line says and the judge has found out. */
  override layOver(other: Head): void {
    super.layOver(other)
    if (!(other instanceof ResponseHead)) return
    this.status = other.status
    this.reason = other.reason
    this.version = other.version
    this.bodyLength = other.bodyLength
    this.untilClose = other.untilClose
    this.keepAlive = other.keepAlive
  }
}
