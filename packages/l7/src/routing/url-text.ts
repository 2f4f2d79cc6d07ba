/** Characters that may stand in a URL as they are (RFC 3986), reserved ones included; the percent sign is judged apart. */
const urlChar = /[!$&'()*+,\-./:;=?@[\]_~A-Za-z0-9]/
const unreserved = /[-._~A-Za-z0-9]/
const clean = /^[!$&'()*+,\-./:;=?@[\]_~A-Za-z0-9]*$/
const encoder = new TextEncoder()

/**
 * A text as a piece of a URL that it may shape: what no URL may have is escaped, `\` and `#` too; escapes that are whole
 * stay. Nothing in it ends a line.
 */
export function urlText(text: string): string {
  return clean.test(text) ? text : escaped(text, urlChar, true)
}

/** A text as one component of a URL: everything that could mean something there is escaped. */
export function urlComponent(text: string): string {
  return escaped(text, unreserved, false)
}

function escaped(text: string, allowed: RegExp, keepEscapes: boolean): string {
  let result = ''
  for (let at = 0; at < text.length; ) {
    const char = String.fromCodePoint(text.codePointAt(at)!)
    const isEscape = keepEscapes && char === '%' && /^%[0-9A-Fa-f]{2}/.test(text.slice(at, at + 3))
    if (isEscape || allowed.test(char)) result += char
    else for (const byte of encoder.encode(char)) result += `%${hex(byte)}`
    at += char.length
  }
  return result
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0')
}
