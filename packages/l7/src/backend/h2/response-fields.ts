import {
  declaredLength,
  isConnectionField,
  isFieldName,
  isFieldValue,
} from '../../client/h2/field-rules.ts'
import { fieldIdOf } from '../../wire/field.ts'
import { unknownLength } from '../../wire/request-head.ts'
import type { ResponseHead } from '../../wire/response-head.ts'

/**
 * Turns the fields of a response's HEADERS, names and values in turn as they came, into a head, and finds out what
 * body follows. What HTTP/1.1 could not carry, or would read differently, is refused (RFC 9113 sections 8.1.1, 8.2,
 * 8.3.2, 10.3).
 *
 * @param method - of the request that it answers.
 * @param bodyless - END_STREAM came with the head.
 * @returns what is wrong with it, or undefined.
 */
export function readResponse(
  raw: readonly string[],
  method: string,
  bodyless: boolean,
  head: ResponseHead,
): string | undefined {
  head.reset()
  head.version = 20
  let declared = unknownLength
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    if (name === ':status') {
      if (i !== 0 || !/^[1-5]\d\d$/.test(value)) return 'its :status is none, or not in front'
      head.status = Number(value)
      continue
    }
    if (!isFieldName(name)) return 'a field name is not a lower-case token'
    if (!isFieldValue(value)) return 'a field value has control characters or blank edges'
    if (isConnectionField(fieldIdOf(name))) return `it has ${name}, which belongs to HTTP/1.1`
    if (name === 'content-length') {
      const length = declaredLength(value)
      if (length === undefined || declared !== unknownLength)
        return 'its content-length is not one number'
      declared = length
    }
    head.add(name, value)
  }
  const { status } = head
  if (status === 0) return 'it has no :status'
  if (status === 101) return 'its status is 101, which HTTP/2 does not have'
  if (status < 200) return bodyless ? 'it ends with an informational head' : undefined
  if (method === 'HEAD' || status === 204 || status === 304) {
    head.bodyLength = 0
    return undefined
  }
  if (bodyless && declared > 0) return 'it is shorter than its content-length'
  head.bodyLength = bodyless ? 0 : declared
  return undefined
}
