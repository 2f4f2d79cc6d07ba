import type { ClientRequest } from 'node:http'
import type { Framing } from './outgoing-headers.ts'

/**
 * Keeps a request framed whatever listeners of `proxyReq` do to it: one of Content-Length and Transfer-Encoding goes
 * when the other is set, and a body that is written though the request had none becomes chunked.
 */
export function guardFraming(request: ClientRequest): void {
  const { setHeader } = request
  request.setHeader = function (name, value) {
    const lower = typeof name === 'string' ? name.toLowerCase() : name
    if (lower === 'content-length') this.removeHeader('transfer-encoding')
    else if (lower === 'transfer-encoding') this.removeHeader('content-length')
    return setHeader.call(this, name, value)
  }
  // Of methods that rarely have a body, Node sends one unframed.
  request.useChunkedEncodingByDefault = true
}

/**
 * Completes the framing after the listeners.
 *
 * @returns why the request cannot be sent, or undefined.
 */
export function settleFraming(request: ClientRequest, framing: Framing): string | undefined {
  const framed = request.hasHeader('content-length') || request.hasHeader('transfer-encoding')
  if (request.headersSent) {
    return framed || request.chunkedEncoding
      ? undefined
      : 'a listener of proxyReq wrote a body and took its framing away'
  }
  if (framed) return undefined
  if (framing.hasBody) request.setHeader('transfer-encoding', 'chunked')
  // Nothing will be written: without this, Node says that a GET has a body of no length.
  else request.useChunkedEncodingByDefault = false
  return undefined
}
