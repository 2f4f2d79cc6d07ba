import { isConnectionField } from '../../client/h2/field-rules.ts'
import { Field, fieldNames } from '../../wire/field.ts'
import { lowerLatin1 } from '../../wire/latin1.ts'
import { expectsBody } from '../../wire/method.ts'
import type { BodyLength, RequestHead } from '../../wire/request-head.ts'

/** What {@link requestFields} needs to know besides the head. */
export interface RequestFieldsInit {
  readonly scheme: 'http' | 'https'
  /** For requests that name no authority of their own. */
  readonly defaultAuthority: string
  readonly length: BodyLength
  /** The protocol that extended CONNECT asks for; empty for an ordinary request. */
  readonly upgrade: string
}

/**
 * A request's fields as they go into HEADERS, names in lower case and values in turn: what the start line and Host
 * said as pseudo-header fields, the lines as they are, framing by ourselves (RFC 9113 section 8.3.1, RFC 8441).
 */
export function requestFields(head: RequestHead, init: RequestFieldsInit): string[] {
  const { scheme, defaultAuthority, length, upgrade } = init
  const authority = head.authority === '' ? defaultAuthority : head.authority
  const fields =
    upgrade === '' ? [':method', head.method] : [':method', 'CONNECT', ':protocol', upgrade]
  fields.push(':scheme', scheme, ':authority', authority, ':path', head.target)
  const { ids, ranges, bytes, count } = head
  for (let i = 0; i < count; i++) {
    const id = ids[i]!
    if (id < 0 || isOurs(id) || (upgrade !== '' && id === Field.secWebSocketKey)) continue
    fields.push(
      id > 0 ? fieldNames[id]! : lowerLatin1(bytes, ranges[i * 4]!, ranges[i * 4 + 1]!),
      head.valueAt(i),
    )
  }
  if (head.acceptsTrailers) fields.push('te', 'trailers')
  if (upgrade === '' && (length > 0 || (length === 0 && expectsBody(head.method)))) {
    fields.push('content-length', String(length))
  }
  return fields
}

function isOurs(id: number): boolean {
  switch (id) {
    case Field.host:
    case Field.contentLength:
    case Field.te:
    case Field.trailer:
      return true
    default:
      return isConnectionField(id)
  }
}
