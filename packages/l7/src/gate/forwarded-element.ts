import { Field } from '../wire/field.ts'
import type { Head } from '../wire/head.ts'

/** Elements of all Forwarded lines that are read; of more, the last ones count. */
const mostElements = 64

/**
 * One parameter of each element of Forwarded (RFC 7239 section 4), over all its lines in order; undefined for an
 * element that does not have it. A line that breaks the grammar counts as one element without parameters, which ends
 * every walk from the right.
 *
 * @param parameter - in lower case
 */
export function forwardedElements(head: Head, parameter: string): (string | undefined)[] {
  const values: (string | undefined)[] = []
  for (let i = head.indexOf(Field.forwarded); i >= 0; i = head.indexOf(Field.forwarded, i + 1)) {
    values.push(...lineElements(head.valueAt(i), parameter))
  }
  return values.slice(-mostElements)
}

/** A pair, or nothing, and what ends it. No two neighbours match the same, so that it never backs up far. */
const pair =
  /[ \t]*(?:([!#$%&'*+\-.^_`|~\w]+)=(?:([!#$%&'*+\-.^_`|~\w]+)|"((?:[^"\\]|\\.)*)")[ \t]*)?([;,]|$)/y

function lineElements(line: string, parameter: string): (string | undefined)[] {
  const values: (string | undefined)[] = []
  let value: string | undefined
  let seen = false
  let pairs = 0
  pair.lastIndex = 0
  for (;;) {
    const match = pair.exec(line)
    if (match === null) return [undefined]
    const [, name, token, quoted, delimiter] = match
    if (name !== undefined) {
      pairs += 1
      if (name.toLowerCase() === parameter) {
        // Each parameter at most once in an element.
        if (seen) return [undefined]
        seen = true
        value = token ?? quoted!.replaceAll(/\\(.)/g, '$1')
      }
    }
    if (delimiter === ';') continue
    if (pairs > 0) values.push(value)
    value = undefined
    seen = false
    pairs = 0
    if (delimiter === '') return values
  }
}

/**
 * One element of Forwarded: what we add for a request.
 *
 * @param address - the client's, empty when it has none
 * @param authority - what it asked for, empty for none
 */
export function forwardedElement(address: string, proto: string, authority: string): string {
  const node = address === '' ? 'unknown' : address.includes(':') ? `"[${address}]"` : address
  const host = authority === '' ? '' : `;host=${quotedIfNeeded(authority)}`
  return `for=${node}${host};proto=${proto}`
}

/** Authorities have no quotes and no backslashes. */
function quotedIfNeeded(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `"${text}"`
}
