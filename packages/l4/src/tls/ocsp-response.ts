import { bytesOption, invalidOption } from '@steelyard/core'

/** Status words by number (RFC 6960 section 4.2.1); 4 is not used. */
const statuses = [
  'successful',
  'malformedRequest',
  'internalError',
  'tryLater',
  '',
  'sigRequired',
  'unauthorized',
]

/**
 * Checks that bytes are one OCSP response that answers: `SEQUENCE { ENUMERATED successful, … }` in DER. Whether it is of
 * the right certificate and in time is the client's to judge.
 *
 * @throws `invalid-option`
 */
export function parseOcspResponse(der: Uint8Array, path: string): Uint8Array {
  const bytes = bytesOption(der, path)
  const body = contentStart(bytes)
  if (bytes[0] !== 0x30 || body < 0) {
    throw invalidOption(path, 'is no OCSP response in DER: convert PEM or base64 first')
  }
  if (bytes[body] !== 0x0a || bytes[body + 1] !== 1 || bytes[body + 2] === undefined) {
    throw invalidOption(path, 'is DER, but no OCSP response')
  }
  const status = bytes[body + 2]!
  if (status !== 0) {
    throw invalidOption(path, `is no answer: the responder said ${statuses[status] || status}`)
  }
  return new Uint8Array(bytes)
}

/** Where the content of the outer element begins; -1 when its length is not that of the bytes. */
function contentStart(bytes: Uint8Array): number {
  const first = bytes[1] ?? 0xff
  const octets = first < 0x80 ? 0 : first & 0x7f
  if (octets > 4 || bytes.length < 2 + octets) return -1
  let length = octets === 0 ? first : 0
  for (let i = 0; i < octets; i++) length = length * 256 + bytes[2 + i]!
  return bytes.length === 2 + octets + length ? 2 + octets : -1
}
