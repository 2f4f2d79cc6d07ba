import { invalidOption, shown, textOption } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { Template } from './action.ts'
import { type Variable, variableNamed } from './template-variables.ts'
import { trimBlanks } from './trim-blanks.ts'

/** A template's text for one exchange. */
export type CompiledTemplate = (x: Exchange) => string

/** A piece of a template. */
export type TemplatePart = string | Variable

/**
 * Compiles a template for the value of a header field: what its variables stand for is cleaned of control characters,
 * and characters that are no byte become their UTF-8 bytes, so that no client can add a line. A variable that stands for
 * nothing is empty. A template without variables costs nothing.
 *
 * Variables: `id`, `listener`, `route`, `pool`, `backend`, `backend.address`, `backend.host`, `backend.port`, `attempts`,
 * `status`, `time.ms`; `method`, `version`, `scheme`, `host`, `port`, `authority` (host with the port that was named),
 * `path`, `query`, `target` (path and query), `header:NAME`, `cookie:NAME`, `query:NAME`; `client`, `client.port`, `peer`,
 * `peer.port`, `local`, `local.port`; `tls.version`, `tls.cipher`, `tls.alpn`, `tls.serverName`, `tls.resumed`; of a client's
 * certificate `tls.hasCertificate`, `tls.verifyResult`, `tls.subject`, `tls.subject:FIELD`, `tls.commonName`, `tls.issuer`,
 * `tls.issuer:FIELD`, `tls.serialNumber`, `tls.fingerprint256`, `tls.sha1`, `tls.notBefore`, `tls.notAfter`.
 *
 * @throws `invalid-option` for unknown variables, and control characters in the text itself.
 */
export function template(text: Template, path = 'template'): CompiledTemplate {
  return rendered(templateParts(text, path), fieldText)
}

/**
 * The pieces of a template; texts are never empty nor next to each other.
 *
 * @throws `invalid-option` as {@link template}.
 */
export function templateParts(text: Template, path: string): readonly TemplatePart[] {
  textOption(text, path)
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(text)) {
    throw invalidOption(path, `${shown(text)} has a control character`)
  }
  const parts: TemplatePart[] = []
  let literal = ''
  for (let at = 0; at < text.length; ) {
    const percent = text.indexOf('%', at)
    const next = percent < 0 ? undefined : text[percent + 1]
    if (next !== '%' && next !== '{') {
      const end = percent < 0 ? text.length : percent + 1
      literal += text.slice(at, end)
      at = end
      continue
    }
    literal += text.slice(at, percent)
    if (next === '%') {
      literal += '%'
      at = percent + 2
      continue
    }
    const close = text.indexOf('}', percent)
    if (close < 0)
      throw invalidOption(path, `${shown(text)} has %{ without }: write %%{ for itself`)
    if (literal !== '') parts.push(literal)
    literal = ''
    parts.push(variableNamed(text.slice(percent + 2, close), path))
    at = close + 1
  }
  if (literal !== '') parts.push(literal)
  return Object.freeze(parts)
}

/** The text of a template without variables; undefined for others. */
export function constantText(parts: readonly TemplatePart[]): string | undefined {
  if (parts.length === 0) return ''
  return parts.length === 1 && typeof parts[0] === 'string' ? parts[0] : undefined
}

/**
 * Makes one function of the pieces.
 *
 * @param clean - makes of a text what may stand in that place; applied to each constant once, and to what variables stand for.
 */
export function rendered(
  parts: readonly TemplatePart[],
  clean: (text: string, part: TemplatePart) => string,
): CompiledTemplate {
  const constant = constantText(parts)
  if (constant !== undefined) {
    const text = trimBlanks(clean(constant, constant))
    return () => text
  }
  const pieces = parts.map((part) => (typeof part === 'string' ? clean(part, part) : part))
  const valueOf = (variable: Variable, x: Exchange): string => {
    const value = variable.read(x)
    if (value === undefined) return ''
    return typeof value === 'number' ? String(value) : clean(value, variable)
  }
  const [only] = pieces
  if (pieces.length === 1 && typeof only === 'object') return (x) => trimBlanks(valueOf(only, x))
  return (x) => {
    let text = ''
    for (const piece of pieces) text += typeof piece === 'string' ? piece : valueOf(piece, x)
    return trimBlanks(text)
  }
}

const unsuitable = /[^\t\x20-\x7e\x80-\xff]/
const encoder = new TextEncoder()

/** A text as the value of a header field: a character for each byte, none of which ends a line. */
export function fieldText(text: string): string {
  if (!unsuitable.test(text)) return text
  let result = ''
  for (const char of text) {
    const code = char.codePointAt(0)!
    if (code > 0xff) result += String.fromCharCode(...encoder.encode(char))
    else if (code === 9 || (code > 31 && code !== 127)) result += char
  }
  return result
}
