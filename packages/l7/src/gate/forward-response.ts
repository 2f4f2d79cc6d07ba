import { Field } from '../wire/field.ts'
import type { ResponseHead } from '../wire/response-head.ts'
import { dropListed } from './connection-options.ts'
import { viaLine } from './forwarded-lines.ts'
import type { ForwardingSettings } from './forwarding-options.ts'

/** 1 for what a backend says to us alone, by field number. */
const dropped: Uint8Array = makeDropped()

function makeDropped(): Uint8Array {
  const table = new Uint8Array(Math.max(...Object.values(Field)) + 1)
  for (const id of [
    Field.contentLength,
    Field.transferEncoding,
    Field.connection,
    Field.upgrade,
    Field.te,
    Field.trailer,
    Field.keepAlive,
    Field.proxyConnection,
    Field.proxyAuthorization,
    Field.proxyAuthenticate,
    Field.http2Settings,
  ]) {
    table[id] = 1
  }
  return table
}

/**
 * Makes of a backend's head, final or 1xx, what goes to the client: drops what was between the backend and us (RFC 9110
 * section 7.6.1) and the framing, which the client's leg writes; adds our line in Via if that is on. Whoever wants the
 * Content-Length of a response without a body reads it before.
 */
export function prepareResponse(head: ResponseHead, settings: ForwardingSettings): void {
  if (head.indexOf(Field.connection) >= 0) dropListed(head)
  const { ids, count } = head
  for (let i = 0; i < count; i++) {
    const id = ids[i]!
    if (id > 0 && dropped[id] === 1) ids[i] = -1
  }
  if (settings.viaResponses) head.append(viaLine(head.version, settings))
}
