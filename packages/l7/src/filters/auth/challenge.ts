import { invalidOption, shown } from '@steelyard/core'

/**
 * A realm as a quoted string (RFC 9110 section 5.6.4).
 *
 * @throws `invalid-option` for what is not printable ASCII.
 */
export function quotedRealm(realm: string, path: string): string {
  if (typeof realm === 'string' && /^[\x20-\x7e]{1,256}$/.test(realm)) return quoted(realm)
  throw invalidOption(path, `${shown(realm)} is no realm: use printable ASCII`)
}

/** Printable ASCII as a quoted string. */
export function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}

/** Text as a field value carries it: UTF-8, a character for each byte; undefined when it has control characters. */
export function fieldText(text: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for.
  if (/[\x00-\x1f\x7f]/.test(text)) return undefined
  return Buffer.from(text.trim(), 'utf8').toString('latin1')
}

/** The credentials behind a scheme's name (RFC 9110 section 11.4); undefined for another scheme. */
export function credentialsOf(value: string | undefined, scheme: string): string | undefined {
  if (value === undefined || value.length <= scheme.length) return undefined
  if (value.charCodeAt(scheme.length) !== 0x20) return undefined
  if (value.slice(0, scheme.length).toLowerCase() !== scheme) return undefined
  return value.slice(scheme.length).trim()
}
