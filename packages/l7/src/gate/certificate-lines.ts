import { X509Certificate } from 'node:crypto'
import type { TlsFacts } from '@steelyard/l4'
import type { Head } from '../wire/head.ts'

/** A fact of a client's certificate that backends may be told. */
export type CertificateField =
  | 'verify'
  | 'has-cert'
  | 'dn'
  | 'cn'
  | 'issuer'
  | 'sha1'
  | 'not-before'
  | 'not-after'

const names = {
  verify: 'X-SSL-Client-Verify',
  'has-cert': 'X-SSL-Client-Has-Cert',
  dn: 'X-SSL-Client-DN',
  cn: 'X-SSL-Client-CN',
  issuer: 'X-SSL-Issuer',
  sha1: 'X-SSL-Client-SHA1',
  'not-before': 'X-SSL-Client-Not-Before',
  'not-after': 'X-SSL-Client-Not-After',
} as const satisfies Record<CertificateField, string>

/** Every {@link CertificateField}. */
export const certificateFieldNames: readonly CertificateField[] = Object.freeze(
  Object.keys(names) as CertificateField[],
)

/**
 * Adds the lines of a client's certificate as HAProxy writes them for Octavia: Verify is 0, or 1 when it is not to be
 * trusted; Has-Cert 1 or 0; names, times (`YYMMDDhhmmssZ`) and the hash in quotes, and empty without a certificate.
 * Without one, Verify is 0, as nothing was found wrong: who relies on it must ask Has-Cert too.
 */
export function addCertificateLines(
  head: Head,
  facts: TlsFacts,
  fields: readonly CertificateField[],
): void {
  const { peerCertificate } = facts
  const certificate =
    peerCertificate === undefined ? undefined : new X509Certificate(peerCertificate.der)
  for (const field of fields) {
    let value: string
    if (field === 'verify') value = peerCertificate?.verified === false ? '1' : '0'
    else if (field === 'has-cert') value = peerCertificate === undefined ? '0' : '1'
    else if (field === 'cn') value = quoted(unescaped(peerCertificate?.commonName ?? ''))
    else value = quoted(certificate === undefined ? '' : factOf(certificate, field))
    head.add(names[field], value)
  }
}

function factOf(
  certificate: X509Certificate,
  field: 'dn' | 'issuer' | 'sha1' | 'not-before' | 'not-after',
): string {
  switch (field) {
    case 'dn':
      return oneLineName(certificate.subject)
    case 'issuer':
      return oneLineName(certificate.issuer)
    case 'sha1':
      return certificate.fingerprint.replaceAll(':', '')
    case 'not-before':
      return asn1Time(certificate.validFromDate)
    case 'not-after':
      return asn1Time(certificate.validToDate)
    default:
      return field satisfies never
  }
}

/** `/C=DE/CN=one`, from one attribute a line, whose special characters Node has escaped (RFC 2253 section 2.4). */
function oneLineName(name: string | undefined): string {
  if (name === undefined || name === '') return ''
  return name
    .split('\n')
    .map((attribute) => `/${unescaped(attribute)}`)
    .join('')
}

/** Control characters are escaped as hexadecimal numbers, and stay out. */
function unescaped(text: string): string {
  return text.replaceAll(/\\(?:([\dA-F]{2})|(.))/g, (_, hex: string | undefined, char: string) =>
    hex === undefined ? char : '?',
  )
}

/** UTCTime, which is what HAProxy writes: two digits of the year. */
function asn1Time(time: { toISOString(): string }): string {
  const digits = time.toISOString().replaceAll(/[^\d]/g, '')
  return `${digits.slice(2, 14)}Z`
}

const encoder = new TextEncoder()

/** In quotes, as UTF-8, with a `?` for what no field value may hold: certificates are written by strangers. */
function quoted(text: string): string {
  let result = '"'
  for (const byte of encoder.encode(text)) {
    if (byte < 0x20 || byte === 0x7f) result += '?'
    else if (byte === 0x22 || byte === 0x5c) result += `\\${String.fromCharCode(byte)}`
    else result += String.fromCharCode(byte)
  }
  return `${result}"`
}
