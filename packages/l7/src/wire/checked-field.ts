import { tokenOctet, valueOctet } from './octet-class.ts'

/** Is it a token (RFC 9110 section 5.6.2): one or more of letters, digits and ``!#$%&'*+-.^_`|~``? */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (tokenOctet[text.charCodeAt(i)] !== 1) return false
  return text.length > 0
}

/**
 * What is wrong with a header line that somebody wants to add, or undefined: the name must be a token; the value may
 * have HTAB, SP, visible characters and those up to U+00FF, without white space at its edges (RFC 9110 section 5.5).
 */
export function fieldProblem(name: string, value: string): string | undefined {
  if (!isToken(name)) return `the name ${shown(name)} is not a token`
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (valueOctet[code] === 1) continue
    const at = `the value of ${name} has U+${code.toString(16).toUpperCase().padStart(4, '0')}`
    return `${at} at ${i}: field values hold visible Latin-1 characters, spaces and tabs`
  }
  if (isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1))) {
    return `the value of ${name} begins or ends with white space`
  }
  return undefined
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** For messages: cut, and with nothing in it that a terminal or a log could take for its own. */
function shown(name: string): string {
  const text = JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name)
  return text.replace(/[\u007f-\u009f]/g, '?')
}
