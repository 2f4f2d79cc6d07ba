import type { Head } from '../../src/wire/head.ts'

/** Bytes of a text, a byte each character. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}

/** Text of bytes, a character each. */
export function textOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = ''
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!)
  return text
}

/** The lines of a head, in order. */
export function linesOf(head: Head): [name: string, value: string][] {
  return [...head]
}

/** The pieces of some bytes, cut at the offsets. */
export function piecesOf(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
  return edges.slice(1).map((end, i) => bytes.slice(edges[i], end))
}
