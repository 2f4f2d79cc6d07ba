/** A table of 256 entries: 1 for the bytes of the class. */
function octets(belongs: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (belongs(byte) ? 1 : 0))
}

const tchars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/** What tokens are made of: methods, field names, codings (RFC 9110 section 5.6.2). */
export const tokenOctet: Uint8Array = octets((byte) => tchars.includes(String.fromCharCode(byte)))

/** What field values are made of: HTAB, SP, VCHAR and obs-text (RFC 9110 section 5.5). */
export const valueOctet: Uint8Array = octets(
  (byte) => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f),
)

/** What a request target may hold: visible ASCII. */
export const targetOctet: Uint8Array = octets((byte) => byte >= 0x21 && byte <= 0x7e)

/** Each byte with ASCII letters in lower case. */
export const lowerOctet: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte,
)

/** The value of a hexadecimal digit; 255 for every other byte. */
export const hexOctet: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase())
  return digit < 0 ? 255 : digit
})
