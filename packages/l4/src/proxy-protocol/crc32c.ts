/** The reflected Castagnoli polynomial, 0x1EDC6F41 (RFC 9260, Appendix A). */
const polynomial = 0x82f63b78

const table: Int32Array = /* @__PURE__ */ makeTable()

/**
 * The CRC32c of PP2_TYPE_CRC32C (PROXY protocol §2.2.3).
 *
 * @param previous - the result for the bytes before these, to go on from. Default: none came before.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

function makeTable(): Int32Array {
  const entries = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    entries[byte] = crc
  }
  return entries
}
