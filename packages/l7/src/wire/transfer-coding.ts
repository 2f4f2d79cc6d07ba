import { Field } from './field.ts'
import type { Head } from './head.ts'
import { dropBlanks, elementEnd, rangeIs, rangeIsToken, skipBlanks } from './list.ts'

/** What a head's Transfer-Encoding asks for. */
export type TransferCoding = 'none' | 'chunked' | 'unsupported' | 'bad'

/** Codings of IANA's registry beside `chunked`. */
const registered: readonly string[] = ['gzip', 'x-gzip', 'compress', 'x-compress', 'deflate']

/**
 * How a body is coded (RFC 9112 sections 6.1 and 7): `chunked` when exactly one line says exactly that. A registered
 * coding by itself, or tokens with `chunked` behind them, are `unsupported`: right, but nothing that is taken here.
 * All else is `bad`: empty elements, `chunked` twice or not last, parameters, `identity`, and what is not a token,
 * because peers are known to disagree about it.
 */
export function transferCoding(head: Head): TransferCoding {
  const index = head.indexOf(Field.transferEncoding)
  if (index < 0) return 'none'
  const { bytes, ranges } = head
  const only = head.indexOf(Field.transferEncoding, index + 1) < 0
  if (only && rangeIs(bytes, ranges[index * 4 + 2]!, ranges[index * 4 + 3]!, 'chunked')) {
    return 'chunked'
  }
  let known = false
  let count = 0
  let closed = false
  for (let i = index; i >= 0; i = head.indexOf(Field.transferEncoding, i + 1)) {
    const end = ranges[i * 4 + 3]!
    // One more than the end: an empty element behind the last comma is one, too.
    for (let at = ranges[i * 4 + 2]!; at <= end; ) {
      const next = elementEnd(bytes, at, end)
      const start = skipBlanks(bytes, at, next)
      const stop = dropBlanks(bytes, start, next)
      if (closed || !rangeIsToken(bytes, start, stop)) return 'bad'
      if (rangeIs(bytes, start, stop, 'identity')) return 'bad'
      closed = rangeIs(bytes, start, stop, 'chunked')
      known = registered.some((coding) => rangeIs(bytes, start, stop, coding))
      count += 1
      at = next + 1
    }
  }
  if (closed) return 'unsupported'
  return known && count === 1 ? 'unsupported' : 'bad'
}
