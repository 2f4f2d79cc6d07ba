import { Field, fieldIdAt } from '../wire/field.ts'
import type { Head } from '../wire/head.ts'
import { forEachElement } from '../wire/list.ts'
import { lowerOctet } from '../wire/octet-class.ts'
import { claimNames, claimPrefixes } from './claimed-fields.ts'
import { type NameTable, nameTable } from './name-table.ts'

/**
 * Fields that go from end to end, whatever Connection says (RFC 9110 section 7.6.1): listing them there would take away
 * what a proxy in front has set, or what the backend decides by. Other fields of {@link Field} are here too, except
 * those that are dropped anyway.
 */
const endToEnd: NameTable = nameTable(
  [
    ...claimNames,
    'accept',
    'accept-encoding',
    'accept-language',
    'age',
    'allow',
    'authorization',
    'cache-control',
    'content-disposition',
    'content-encoding',
    'content-language',
    'content-location',
    'content-range',
    'content-security-policy',
    'content-type',
    'cookie',
    'date',
    'etag',
    'expires',
    'grpc-status',
    'host',
    'if-match',
    'if-modified-since',
    'if-none-match',
    'if-range',
    'if-unmodified-since',
    'last-modified',
    'location',
    'max-forwards',
    'origin',
    'pragma',
    'proxy-status',
    'range',
    'referer',
    'retry-after',
    'sec-websocket-accept',
    'sec-websocket-key',
    'server',
    'set-cookie',
    'strict-transport-security',
    'traceparent',
    'tracestate',
    'user-agent',
    'vary',
    'via',
    'www-authenticate',
    'x-content-type-options',
    'x-frame-options',
    'x-request-id',
  ],
  claimPrefixes,
)

/**
 * Drops the fields that a message's own Connection lists, as meant for us alone; those that are
 * {@link endToEnd | end to end} stay. The Connection lines must still be there.
 */
export function dropListed(head: Head): void {
  forEachElement(head, Field.connection, dropOne, head)
}

function dropOne(bytes: Uint8Array, start: number, end: number, head: Head): void {
  const id = fieldIdAt(bytes, start, end)
  // Connection is read on while lines are dropped; it goes with the others afterwards.
  if (id === Field.connection || endToEnd.has(bytes, start, end)) return
  if (id !== 0) {
    head.dropField(id)
    return
  }
  const { ids, ranges, count } = head
  const length = end - start
  next: for (let i = 0; i < count; i++) {
    if (ids[i] !== 0) continue
    const at = ranges[i * 4]!
    if (ranges[i * 4 + 1]! - at !== length) continue
    for (let j = 0; j < length; j++) {
      if (lowerOctet[head.bytes[at + j]!] !== lowerOctet[bytes[start + j]!]) continue next
    }
    head.drop(i)
  }
}
