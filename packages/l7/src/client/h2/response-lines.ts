import type { OutgoingHttpHeaders } from 'node:http2'
import { Field, fieldNames } from '../../wire/field.ts'
import type { Head } from '../../wire/head.ts'
import { lowerLatin1 } from '../../wire/latin1.ts'
import type { BodyLength } from '../../wire/request-head.ts'
import type { ResponseHead } from '../../wire/response-head.ts'
import { isConnectionField } from './field-rules.ts'

/**
 * The fields of a final response as they go into HEADERS: names in lower case and values in turn, duplicates and
 * order kept. Framing is ours: a `content-length` is written for a known length alone, never for 204 (RFC 9110
 * section 8.6) and not beside gRPC's status without a body, which is no empty message.
 */
export function responseFields(head: ResponseHead, length: BodyLength, noBody: boolean): string[] {
  const fields = [':status', String(head.status)]
  putFields(head, fields, false)
  if (length >= 0 && head.status !== 204 && !(length === 0 && isBare(head, noBody))) {
    fields.push('content-length', String(length))
  }
  return fields
}

/** Where a length of 0 means that nobody said one. */
function isBare(head: ResponseHead, noBody: boolean): boolean {
  return noBody || head.indexOf(Field.grpcStatus) >= 0
}

/** The fields of the answer to an extended CONNECT: 200, and nothing of HTTP/1.1's handshake (RFC 8441 section 5). */
export function tunnelFields(head: ResponseHead): string[] {
  const fields = [':status', '200']
  putFields(head, fields, true)
  return fields
}

/** The lines of a head as Node takes those of 1xx and trailers: values by name, in lists where there are several. */
export function fieldsByName(head: Head, status?: number): OutgoingHttpHeaders {
  const fields: string[] = []
  putFields(head, fields, false)
  return byName(status === undefined ? fields : [':status', String(status), ...fields])
}

/** The same as values by name, for a Node that does not take names and values in turn. */
export function byName(fields: readonly string[]): OutgoingHttpHeaders {
  // Names are chosen by others: no prototype, and no list in which their order would be lost.
  const named = Object.create(null) as Record<string, string | string[]>
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    const value = fields[i + 1]!
    const before = named[name]
    if (before === undefined) named[name] = value
    else if (typeof before === 'string') named[name] = [before, value]
    else before.push(value)
  }
  return named
}

/** Adds a head's lines to a list, without those that have no place in HTTP/2 or that the leg writes itself. */
export function putFields(head: Head, fields: string[], tunnel: boolean): void {
  const { ids, ranges, bytes, count } = head
  for (let i = 0; i < count; i++) {
    const id = ids[i]!
    if (id < 0 || isConnectionField(id)) continue
    if (id === Field.contentLength || id === Field.te || id === Field.trailer) continue
    if (tunnel && id === Field.secWebSocketAccept) continue
    fields.push(
      id > 0 ? fieldNames[id]! : lowerLatin1(bytes, ranges[i * 4]!, ranges[i * 4 + 1]!),
      head.valueAt(i),
    )
  }
}
