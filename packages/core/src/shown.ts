/** Characters of a text that a message shows. */
const longest = 100

/** What would break a line, move the cursor of a terminal, or turn the direction of writing. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * A wrong value, for the message that refuses it: one line, of bounded length, and made without running any code of
 * the value. Option readers use it for everything that was not checked yet, because a caller without types may hand
 * in anything, and `` `${value}` `` throws for symbols and for objects without a usable `toString`.
 *
 * A text stands in quotes and is escaped as in JSON, invisible characters too; after about 100 characters it is cut
 * with `…`. Numbers keep the sign of zero, a bigint its `n`. Of objects only the kind is told: `a list`, `an object`,
 * `a function`.
 */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `"${escaped(value)}"`
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint':
      // The decimal text of a very long one takes seconds.
      return BigInt.asIntN(256, value) === value ? `${value}n` : 'a very large bigint'
    case 'symbol':
      return `Symbol(${escaped(value.description ?? '')})`
    case 'function':
      return 'a function'
    case 'object':
      if (value === null) return 'null'
      return isList(value) === true ? 'a list' : 'an object'
    default:
      return String(value)
  }
}

/**
 * The same text on one line: invisible characters are escaped, all others stay as they are. For words that come from
 * elsewhere and are no value to be quoted, such as a key in an option's path.
 */
export function oneLine(text: string): string {
  return text.replaceAll(invisible, escape)
}

function escaped(text: string): string {
  if (text.length <= longest) return oneLine(JSON.stringify(text).slice(1, -1))
  const last = text.charCodeAt(longest - 1)
  // Half a character is none.
  const end = last >= 0xd800 && last <= 0xdbff ? longest - 1 : longest
  return `${oneLine(JSON.stringify(text.slice(0, end)).slice(1, -1))}…`
}

function escape(character: string): string {
  let text = ''
  for (let i = 0; i < character.length; i++) {
    text += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  }
  return text
}

/** `Array.isArray`; `undefined` for a revoked proxy, where that throws: nothing can be read of one. */
export function isList(value: unknown): boolean | undefined {
  try {
    return Array.isArray(value)
  } catch {
    return undefined
  }
}
