/** Characters as bits: 0 to 127 for ASCII, {@link other} for all beyond, {@link inputEnd} for the end of the text. */
export type CharSet = bigint

/** See {@link CharSet}. */
export const other: CharSet = 1n << 128n
/** See {@link CharSet}. */
export const inputEnd: CharSet = 1n << 129n
/** Every character, the end not among them. */
export const everyChar: CharSet = (1n << 129n) - 1n

/** All of ASCII. */
export const asciiOnly: CharSet = (1n << 128n) - 1n

/** The set of one ASCII character. */
export function bit(code: number): CharSet {
  return 1n << BigInt(code)
}

const digits = rangeSet('0', '9')
const words = digits | rangeSet('A', 'Z') | rangeSet('a', 'z') | bit(0x5f)
const blanks = bit(9) | bit(10) | bit(12) | bit(13) | bit(32)

function rangeSet(from: string, to: string): CharSet {
  let set = 0n
  for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code++) set |= bit(code)
  return set
}

/** RE2's meaning of `\d`, `\w` and `\s`: ASCII only. With case ignored, `\w` takes two characters beyond. */
export function namedClass(
  char: string,
): { readonly source: string; readonly set: CharSet; readonly negated: boolean } | undefined {
  switch (char) {
    case 'd':
    case 'D':
      return { source: '0-9', set: digits, negated: char === 'D' }
    case 'w':
    case 'W':
      return {
        source: '0-9A-Za-z_',
        set: words | (char === 'w' ? other : 0n),
        negated: char === 'W',
      }
    case 's':
    case 'S':
      return { source: '\\t\\n\\f\\r ', set: blanks, negated: char === 'S' }
    default:
      return undefined
  }
}
