/** Everything but printable ASCII, and of that `"` and `\`. */
const special = /[^ !#-[\]-~]/

/** Nothing in it is {@link special}; for short texts, which most are, a loop is faster than the expression. */
function isPlain(text: string): boolean {
  if (text.length > 24) return !special.test(text)
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 32 || code > 126 || code === 34 || code === 92) return false
  }
  return true
}

/**
 * A text as it stands between the quotes of a JSON string: ASCII only, so that no consumer takes a character of it for
 * the end of a line, whatever it thinks of U+0085 or U+2028.
 */
export function jsonText(text: string): string {
  if (isPlain(text)) return text
  let result = ''
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code >= 32 && code < 127 && code !== 34 && code !== 92) continue
    result += text.slice(from, at)
    if (code === 34) result += '\\"'
    else if (code === 92) result += '\\\\'
    else result += `\\u${code.toString(16).padStart(4, '0')}`
    from = at + 1
  }
  return result + text.slice(from)
}

/**
 * A text for the lines of common and combined logs and of templates: what is no printable ASCII, and `"`, `\` and the
 * characters of `also`, become `\xHH` for each byte. Characters up to U+00FF are bytes, as in a field's value; others
 * become their UTF-8.
 */
export function logText(text: string, also = ''): string {
  if (isPlain(text) && (also === '' || !hasAny(text, also))) return text
  return encoded(text, `"\\${also}`, '\\x', hexLower)
}

/** What HAProxy encodes in its logs: what is no printable ASCII, and what its captures are divided by. */
const haproxySpecial = /[^ !$-z~]/
const haproxyMarks = '"#{|}'
/** Besides that, what divides the fields of a line. */
const haproxyWordSpecial = /[^!$-.0-Z\\^-z~]/
const haproxyWordMarks = `${haproxyMarks} /[]`

/** A text between quotes or braces in lines in the manner of HAProxy, which writes `#HH` for each byte. */
export function haproxyText(text: string): string {
  return haproxySpecial.test(text) ? encoded(text, haproxyMarks, '#', hexUpper) : text
}

/** The same for a name that stands by itself. */
export function haproxyWord(text: string): string {
  return haproxyWordSpecial.test(text) ? encoded(text, haproxyWordMarks, '#', hexUpper) : text
}

const hexLower = hexTable((hex) => hex)
const hexUpper = hexTable((hex) => hex.toUpperCase())
const encoder = new TextEncoder()

function hexTable(spell: (hex: string) => string): readonly string[] {
  return Array.from({ length: 256 }, (_, byte) => spell(byte.toString(16).padStart(2, '0')))
}

function hasAny(text: string, characters: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (characters.includes(text[at]!)) return true
  }
  return false
}

function encoded(text: string, marks: string, lead: string, hex: readonly string[]): string {
  let result = ''
  for (const char of text) {
    const code = char.codePointAt(0)!
    if (code > 0xff) {
      for (const byte of encoder.encode(char)) result += lead + hex[byte]!
    } else if (code < 32 || code > 126 || marks.includes(char)) {
      result += lead + hex[code]!
    } else {
      result += char
    }
  }
  return result
}
