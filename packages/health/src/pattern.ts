import { invalidOption, objectOption, shown, textOption } from '@steelyard/core'

/** Bytes to send or to find: text (sent as UTF-8), hexadecimal, or bytes. */
export type Payload = string | { readonly hex: string } | Uint8Array

/** Bytes to find, or a regular expression over them, which the second form writes as data. */
export type Pattern = Payload | RegExp | { readonly regex: string; readonly flags?: string }

/** A pattern, ready to be held against bytes that keep coming. */
export interface Matcher {
  /**
   * Where the match ends, at least 1 except for a regular expression that matches nothing; -1 when
   * there is none yet; -2 when no further byte can bring one.
   */
  end(bytes: Uint8Array): number
  /** For messages: `"+PONG"`, `0x2b50`, `/^220 /`. */
  readonly text: string
}

const encoder = new TextEncoder()
const utf8 = new TextDecoder()

/**
 * The bytes that a payload means.
 *
 * @throws `invalid-option`
 */
export function payloadBytes(payload: Payload, path: string): Uint8Array {
  if (typeof payload === 'string') return encoder.encode(payload)
  objectOption(payload, path)
  if (payload instanceof Uint8Array) return new Uint8Array(payload)
  const hex = textOption(payload.hex, `${path}.hex`)
  const digits = hex.replaceAll(/[\s:]/g, '')
  if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) {
    throw invalidOption(path, `${shown(hex)} is not hexadecimal: write pairs of 0-9 and a-f`)
  }
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/**
 * Makes a matcher that wants the bytes at the very beginning; a regular expression may match anywhere,
 * unless it begins with `^`, and sees each byte as one character (ISO 8859-1).
 *
 * @throws `invalid-option`
 */
export function prefixMatcher(pattern: Pattern, path: string): Matcher {
  const expression = regexOf(pattern, path)
  if (expression !== undefined) {
    return {
      text: String(expression),
      end(bytes) {
        const match = expression.exec(latin1(bytes))
        return match === null ? -1 : match.index + match[0].length
      },
    }
  }
  const wanted = wantedBytes(pattern as Payload, path)
  return {
    text: patternText(pattern as Payload),
    end(bytes) {
      const length = Math.min(bytes.length, wanted.length)
      for (let i = 0; i < length; i++) if (bytes[i] !== wanted[i]) return -2
      return bytes.length < wanted.length ? -1 : wanted.length
    },
  }
}

/**
 * Makes a matcher that finds the bytes anywhere; a regular expression sees UTF-8 text.
 *
 * @throws `invalid-option`
 */
export function contentMatcher(pattern: Pattern, path: string): Matcher {
  const expression = regexOf(pattern, path)
  if (expression !== undefined) {
    return {
      text: String(expression),
      end(bytes) {
        const match = expression.exec(utf8.decode(bytes))
        return match === null ? -1 : match.index + match[0].length
      },
    }
  }
  const wanted = latin1(wantedBytes(pattern as Payload, path))
  return {
    text: patternText(pattern as Payload),
    end(bytes) {
      const at = latin1(bytes).indexOf(wanted)
      return at < 0 ? -1 : at + wanted.length
    },
  }
}

/** The beginning of what a peer sent, for messages: printable, quoted, of bounded length. */
export function excerpt(bytes: Uint8Array, limit = 48): string {
  if (bytes.length === 0) return 'nothing'
  const text = JSON.stringify(latin1(bytes.subarray(0, limit)))
  const plain = text.replaceAll(/[\u007f-\u00ff]/g, (byte) => {
    return `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return bytes.length > limit ? `${plain}…` : plain
}

/** One character for each byte; a TextDecoder's `latin1` is Windows-1252, which is not that. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function patternText(payload: Payload): string {
  if (typeof payload === 'string') return excerpt(encoder.encode(payload))
  if (payload instanceof Uint8Array) return excerpt(payload)
  return `0x${payload.hex.replaceAll(/[\s:]/g, '').toLowerCase()}`
}

function wantedBytes(payload: Payload, path: string): Uint8Array {
  const bytes = payloadBytes(payload, path)
  if (bytes.length === 0)
    throw invalidOption(path, 'is empty and would match anything: leave it out')
  return bytes
}

function regexOf(pattern: Pattern, path: string): RegExp | undefined {
  if (typeof pattern === 'string') return undefined
  objectOption(pattern, path)
  if (pattern instanceof RegExp) return fresh(pattern.source, pattern.flags, path)
  if (pattern instanceof Uint8Array) return undefined
  if (!('regex' in pattern)) return undefined
  const source = textOption(pattern.regex, `${path}.regex`)
  return fresh(source, textOption(pattern.flags ?? '', `${path}.flags`), path)
}

/** Without the flags that make an expression remember where it was. */
function fresh(source: string, flags: string, path: string): RegExp {
  try {
    return new RegExp(source, flags.replaceAll(/[gy]/g, ''))
  } catch (error) {
    const why = (error as Error).message.replace(/^Invalid.*: /s, '')
    const what = `/${shown(source).slice(1, -1)}/${shown(flags).slice(1, -1)}`
    throw invalidOption(path, `${what} is no regular expression: ${why}`)
  }
}
