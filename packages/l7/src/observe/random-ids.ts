/** Fills bytes with randomness that nobody can foretell. */
export type RandomBytes = (bytes: Uint8Array<ArrayBuffer>) => void

/** Identifiers of traces and spans. */
export interface RandomIds {
  /** 32 hexadecimal digits, not all 0. */
  traceId(): string
  /** 16 hexadecimal digits, not all 0. */
  spanId(): string
}

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)
const poolBytes = 4096

/** Makes {@link RandomIds}; bytes are drawn in bulk, because each call of the system's source is dear. */
export function randomIds(fill: RandomBytes): RandomIds {
  const bytes = new Uint8Array(poolBytes)
  let at = poolBytes
  function eight(): string {
    for (;;) {
      if (at === poolBytes) {
        fill(bytes)
        at = 0
      }
      let text = ''
      let any = 0
      for (const end = at + 8; at < end; at++) {
        any |= bytes[at]!
        text += hex[bytes[at]!]!
      }
      // All zeros is no id. A source that knows nothing else would never end this loop, but would not be random either.
      if (any !== 0) return text
    }
  }
  return { spanId: eight, traceId: () => eight() + eight() }
}
