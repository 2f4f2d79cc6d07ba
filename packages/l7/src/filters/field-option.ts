import { invalidOption, listOption, objectOption, shown } from '@steelyard/core'

/** A token (RFC 9110 section 5.6.2), of a length that anybody needs. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/
/** Visible characters with spaces and tabs between them, a character for each byte (RFC 9110 section 5.5). */
const content = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
const framing: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Header fields of an answer, as an embedder writes them. */
export type FieldRecord = Readonly<Record<string, string | readonly string[]>>

/**
 * An option that is a header field's name, as itself.
 *
 * @throws `invalid-option` for what is no token, and for names that frame the message: these are the proxy's.
 */
export function fieldNameOption(value: string, path: string): string {
  if (typeof value !== 'string' || !token.test(value)) {
    throw invalidOption(path, `${shown(value)} is no name of a header field`)
  }
  if (framing.has(value.toLowerCase())) {
    throw invalidOption(path, `${shown(value)} frames the message and cannot be used`)
  }
  return value
}

/**
 * An option that is a token, such as a method or a cookie's name, as itself.
 *
 * @throws `invalid-option`
 */
export function tokenOption(value: string, path: string): string {
  if (typeof value === 'string' && token.test(value)) return value
  throw invalidOption(
    path,
    `${shown(value)} is no token: use letters, digits and !#$%&'*+-.^_\`|~ only`,
  )
}

/**
 * An option that is a header field's value, as itself.
 *
 * @throws `invalid-option` for control characters, and for characters that are no byte.
 */
export function fieldValueOption(value: string, path: string): string {
  if (typeof value === 'string' && value.length <= 65_536 && content.test(value)) return value
  throw invalidOption(path, `${shown(value)} cannot be the value of a header field`)
}

/** Can this be sent as the value of a header field? */
export function isFieldValue(value: string): boolean {
  return content.test(value)
}

/**
 * The header fields of an answer, checked and frozen.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function fieldRecordOption(value: FieldRecord, path: string): FieldRecord {
  const result: Record<string, string | readonly string[]> = {}
  for (const [name, given] of Object.entries(objectOption(value, path))) {
    fieldNameOption(name, path)
    const at = `${path}.${name}`
    result[name] =
      typeof given === 'object'
        ? Object.freeze(
            listOption(given, at).map((one, index) => fieldValueOption(one, `${at}[${index}]`)),
          )
        : fieldValueOption(given, at)
  }
  return Object.freeze(result)
}
