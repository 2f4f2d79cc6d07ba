import { asciiOnly, bit, type CharSet, everyChar, namedClass, other } from './char-set.ts'

/** A regular expression, as far as {@link parseRegex} reads it. */
export type RegexNode =
  | { readonly kind: 'char'; readonly set: CharSet; readonly source: string }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly items: readonly RegexNode[] }
  | {
      readonly kind: 'group'
      readonly item: RegexNode
      /** What stands behind the parenthesis. */
      readonly opening: string
      readonly captures: boolean
    }
  | {
      readonly kind: 'repeat'
      readonly item: RegexNode
      readonly least: number
      readonly most: number
      readonly lazy: boolean
    }

/**
 * Reads the part of RE2's syntax that JavaScript has in common with it: characters, classes, groups, choices,
 * repetitions, and the ends of the text. Undefined for everything else.
 *
 * @param ignoreCase - sets then hold every character that may fold into them.
 */
export function parseRegex(pattern: string, ignoreCase: boolean): RegexNode | undefined {
  try {
    const reader = new Reader(pattern, ignoreCase)
    const node = reader.choice(0)
    return reader.atEnd ? node : undefined
  } catch (error) {
    if (error === foreign) return undefined
    throw error
  }
}

/** Thrown where the common part of both syntaxes ends. */
const foreign = new Error('not common to both syntaxes')

/** Deeper than anybody writes; keeps the readers below from overflowing the stack. */
const deepest = 50

class Reader {
  readonly #chars: readonly string[]
  readonly #ignoreCase: boolean
  #at = 0

  constructor(pattern: string, ignoreCase: boolean) {
    this.#chars = [...pattern]
    this.#ignoreCase = ignoreCase
  }

  get atEnd(): boolean {
    return this.#at === this.#chars.length
  }

  choice(depth: number): RegexNode {
    if (depth > deepest) throw foreign
    const items = [this.#sequence(depth)]
    while (this.#take('|')) items.push(this.#sequence(depth))
    return items.length === 1 ? items[0]! : { kind: 'choice', items }
  }

  #sequence(depth: number): RegexNode {
    const items: RegexNode[] = []
    while (!this.atEnd && this.#peek() !== '|' && this.#peek() !== ')') {
      items.push(this.#repeated(this.#atom(depth)))
    }
    return items.length === 1 ? items[0]! : { kind: 'sequence', items }
  }

  #atom(depth: number): RegexNode {
    const char = this.#next()
    switch (char) {
      case '^':
        return { kind: 'start' }
      case '$':
        return { kind: 'end' }
      case '.':
        return { kind: 'char', set: everyChar & ~bit(10), source: '[^\\n]' }
      case '(':
        return this.#group(depth)
      case '[':
        return this.#class()
      case '\\':
        return this.#escape()
      case '*':
      case '+':
      case '?':
      case ')':
      case ']':
      case '{':
      case '}':
        throw foreign
      default:
        return this.#literal(char)
    }
  }

  #group(depth: number): RegexNode {
    let opening = ''
    if (this.#take('?')) {
      if (this.#take(':')) {
        opening = '?:'
      } else if (this.#take('<')) {
        let name = ''
        while (!this.#take('>')) name += this.#next()
        if (!/^[A-Za-z]\w*$/.test(name)) throw foreign
        opening = `?<${name}>`
      } else {
        throw foreign
      }
    }
    const item = this.choice(depth + 1)
    if (!this.#take(')')) throw foreign
    return { kind: 'group', item, opening, captures: opening !== '?:' }
  }

  #repeated(item: RegexNode): RegexNode {
    const char = this.#peek()
    let least = 0
    let most = Infinity
    if (char === '*') this.#at += 1
    else if (char === '+') {
      this.#at += 1
      least = 1
    } else if (char === '?') {
      this.#at += 1
      most = 1
    } else if (char === '{') {
      this.#at += 1
      least = this.#number()
      most = least
      if (this.#take(',')) most = this.#peek() === '}' ? Infinity : this.#number()
      if (!this.#take('}') || most < least || most === 0) throw foreign
    } else return item
    const lazy = this.#take('?')
    // What follows would be an error in one of the syntaxes.
    if ('*+?{'.includes(this.#peek() ?? 'x')) throw foreign
    return { kind: 'repeat', item, least, most, lazy }
  }

  #number(): number {
    let digits = ''
    while (/^\d$/.test(this.#peek() ?? '') && digits.length < 5) digits += this.#next()
    const value = Number(digits)
    if (digits === '' || value > 1000) throw foreign
    return value
  }

  #escape(): RegexNode {
    const char = this.#next()
    const named = namedClass(char)
    if (named !== undefined) {
      const { source, set, negated } = named
      return {
        kind: 'char',
        source: `[${negated ? '^' : ''}${source}]`,
        set: negated ? everyChar & ~set : set,
      }
    }
    return this.#literal(escapedChar(char))
  }

  #class(): RegexNode {
    const negated = this.#take('^')
    let set = 0n
    let source = ''
    for (let isFirst = true; isFirst || this.#peek() !== ']'; isFirst = false) {
      const char = this.#next()
      // A bracket at the start is a character to one syntax and the end to the other; `[:` begins a name in RE2.
      if (char === ']' || char === '[') throw foreign
      if (char === '\\') {
        const named = namedClass(this.#peek() ?? '')
        if (named !== undefined) {
          this.#at += 1
          if (named.negated || this.#peek() === '-') throw foreign
          set |= named.set
          source += named.source
          continue
        }
      }
      const from = char === '\\' ? escapedChar(this.#next()) : char
      let to = from
      if (this.#peek() === '-' && this.#chars[this.#at + 1] !== ']') {
        this.#at += 1
        const last = this.#next()
        if (last === '[' || last === ']') throw foreign
        to = last === '\\' ? escapedChar(this.#next()) : last
        if (to.codePointAt(0)! < from.codePointAt(0)!) throw foreign
      }
      set |= this.#folded(from.codePointAt(0)!, to.codePointAt(0)!)
      source += from === to ? spelled(from) : `${spelled(from)}-${spelled(to)}`
    }
    this.#at += 1
    return {
      kind: 'char',
      set: negated ? everyChar & ~(set & asciiOnly) : set,
      source: `[${negated ? '^' : ''}${source}]`,
    }
  }

  #literal(char: string): RegexNode {
    const code = char.codePointAt(0)!
    return { kind: 'char', set: this.#folded(code, code), source: spelled(char) }
  }

  /** Every character of a range, and, where case is ignored, every one that folds into it. */
  #folded(from: number, to: number): CharSet {
    let set = to > 127 ? other : 0n
    for (let code = from; code <= to && code < 128; code++) {
      set |= bit(code)
      if (!this.#ignoreCase) continue
      const lower = code | 32
      if (lower < 0x61 || lower > 0x7a) continue
      set |= bit(lower) | bit(lower & ~32)
      if (lower === 0x6b || lower === 0x73) set |= other
    }
    // The Kelvin sign is a k, and the long s an s.
    if (this.#ignoreCase && to > 127) for (const char of 'KkSs') set |= bit(char.charCodeAt(0))
    return set
  }

  #peek(): string | undefined {
    return this.#chars[this.#at]
  }

  #next(): string {
    const char = this.#chars[this.#at]
    if (char === undefined) throw foreign
    this.#at += 1
    return char
  }

  #take(char: string): boolean {
    if (this.#chars[this.#at] !== char) return false
    this.#at += 1
    return true
  }
}

/** A character in a form that stands for itself wherever it is. */
function spelled(char: string): string {
  const code = char.codePointAt(0)!
  // Half a surrogate pair means different things to the two engines.
  if (code >= 0xd800 && code <= 0xdfff) throw foreign
  return /^[0-9A-Za-z/_]$/.test(char) ? char : `\\u{${code.toString(16)}}`
}

/** The character that an escape of it alone stands for, in both syntaxes. */
function escapedChar(char: string): string {
  switch (char) {
    case 't':
      return '\t'
    case 'n':
      return '\n'
    case 'r':
      return '\r'
    case 'f':
      return '\f'
    case 'v':
      return '\v'
    default:
      if (/^[!-/:-@[-`{-~]$/.test(char)) return char
      throw foreign
  }
}

/** The pattern for `RegExp` with the flag `u`. */
export function nativeSource(node: RegexNode): string {
  switch (node.kind) {
    case 'char':
      return node.source
    case 'start':
      return '^'
    case 'end':
      return '$'
    case 'sequence':
      return node.items.map((item) => nativeSource(item)).join('')
    case 'choice':
      return node.items.map((item) => nativeSource(item)).join('|')
    case 'group':
      return `(${node.opening}${nativeSource(node.item)})`
    case 'repeat': {
      const { item, least, most, lazy } = node
      const times = `{${least},${most === Infinity ? '' : most}}`
      return `${nativeSource(item)}${times}${lazy ? '?' : ''}`
    }
    default:
      return node satisfies never
  }
}
