import { Field, fieldNames } from '../../wire/field.ts'

/** Characters of a field name in HTTP/2: a token without upper case (RFC 9113 section 8.2.1). */
const nameCodes: Uint8Array = codesOf("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")

function codesOf(text: string): Uint8Array {
  const codes = new Uint8Array(256)
  for (let i = 0; i < text.length; i++) codes[text.charCodeAt(i)] = 1
  return codes
}

/** Is it the name of a regular field, one that HTTP/1.1 may carry as well? RFC 9113 section 8.2.1. */
export function isFieldName(name: string): boolean {
  const { length } = name
  if (length === 0) return false
  for (let i = 0; i < length; i++) {
    const code = name.charCodeAt(i)
    if (code > 255 || nameCodes[code] === 0) return false
  }
  return true
}

/**
 * Is it a value that HTTP/1.1 may carry as well? No control characters but the tab, no white space at either edge,
 * nothing beyond a byte. RFC 9113 section 8.2.1, RFC 9110 section 5.5.
 */
export function isFieldValue(value: string): boolean {
  const { length } = value
  if (length === 0) return true
  if (isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(length - 1))) return false
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i)
    if (code < 32 ? code !== 9 : code === 127 || code > 255) return false
  }
  return true
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}

const connectionFields: Uint8Array = flags([
  Field.connection,
  Field.keepAlive,
  Field.proxyConnection,
  Field.transferEncoding,
  Field.upgrade,
  Field.http2Settings,
])

function flags(ids: readonly number[]): Uint8Array {
  const set = new Uint8Array(fieldNames.length)
  for (const id of ids) set[id] = 1
  return set
}

/** Does the field belong to one connection, so that it has no place in HTTP/2? RFC 9113 section 8.2.2. `TE` is not among them. */
export function isConnectionField(id: number): boolean {
  return id > 0 && connectionFields[id] === 1
}

/** What a `content-length` says; undefined when it is no number that can be counted to. */
export function declaredLength(value: string): number | undefined {
  if (!/^\d{1,16}$/.test(value)) return undefined
  const length = Number(value)
  return Number.isSafeInteger(length) ? length : undefined
}
