import { scanAddress } from './ip/scan.ts'

const textEncoder = new TextEncoder()

/** MurmurHash3 (x86, 32 bit) of bytes: an unsigned number that is the same on every node. */
export function hash32(bytes: Uint8Array, seed = 0): number {
  return murmur3(bytes, bytes.length, seed)
}

/** {@link hash32} of a text's UTF-8 bytes. */
export function hashText(text: string, seed = 0): number {
  return hash32(textEncoder.encode(text), seed)
}

const scratch = new Uint8Array(16)

/**
 * {@link hash32} of an address given as text, so that all spellings of one address agree; with `port`, of both. A text
 * that is no address is hashed as it is. Allocates nothing for an address: it runs once a connection.
 */
export function addressHash(address: string, port?: number): number {
  let length: number = scanAddress(address, scratch)
  let hash: number
  if (length > 0) {
    hash = murmur3(scratch, length, 0)
  } else {
    const bytes = textEncoder.encode(address)
    length = bytes.length
    hash = hash32(bytes)
  }
  return port === undefined ? hash : finish(block(hash, port) ^ (length + 4))
}

function murmur3(bytes: Uint8Array, length: number, seed: number): number {
  let hash = seed | 0
  const blocks = length & ~3
  for (let i = 0; i < blocks; i += 4) {
    hash = block(
      hash,
      bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24),
    )
  }
  let tail = 0
  for (let i = length - 1; i >= blocks; i--) tail = (tail << 8) | bytes[i]!
  if (length > blocks) hash ^= scramble(tail)
  return finish(hash ^ length)
}

function scramble(k: number): number {
  const mixed = Math.imul(k, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}

function block(hash: number, k: number): number {
  const mixed = hash ^ scramble(k)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function finish(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
