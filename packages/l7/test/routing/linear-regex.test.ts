import { isSteelyardError } from '@steelyard/core'
import fc from 'fast-check'
import { RE2JS } from 're2js'
import { describe, expect, it } from 'vitest'
import { everyChar, other } from '../../src/routing/char-set.ts'
import { linearRegex } from '../../src/routing/linear-regex.ts'
import { isCheap } from '../../src/routing/regex-cost.ts'
import { parseRegex, type RegexNode } from '../../src/routing/regex-tree.ts'

describe('linearRegex', () => {
  it.each([
    '^/api/v\\d+/users/[^/]+$',
    '^/api/',
    '\\.(?:jpe?g|png|gif|css|js)$',
    '^/old/(.*)$',
    '^/(?<lang>[a-z]{2})/(.*)$',
    '^.*\\.php$',
    '^(?:/[a-z0-9-]+)*$',
    'v\\d+',
    '[Bb]ot',
    '^(?:www\\.)?example\\.(?:com|net|org)$',
    '^a?b?c?$',
    '',
    '^$',
  ])('runs %j natively', (pattern) => {
    expect(linearRegex(pattern).engine).toBe('native')
  })

  it.each([
    ['nested repetition', '(a+)+$'],
    ['nested repetition, bound', '^(a+)+$'],
    ['star of star', '^(a*)*$'],
    ['alternatives that overlap', '^(a|aa)+$'],
    ['alternatives that are the same', '^(a|a)*$'],
    ['a repeated class beside itself', '^\\d*\\d*x$'],
    ['e-mail', '^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@)[a-z]+$'],
    ['tried at every place', 'a+b'],
    ['any text first', '.*x'],
    ['two open ends', '^.*a.*b$'],
    ['optional tail that is read again and again', '^(?:a(?:[^z]*z)?)*'],
    ['an alternative that is read again and again', '^(?:a[^z]*z|a)*'],
    ['read far for each match', 'a(?:b[^z]*z)*'],
    ['many optional parts', '^a?a?a?a?a?a?a?a?a?a?aaaaaaaaaa$'],
    ['polynomial', '^a*a*a*a*b$'],
  ])('leaves %s to the automaton', (_, pattern) => {
    expect(linearRegex(pattern).engine).toBe('automaton')
  })

  it('answers what catastrophic patterns are asked', () => {
    const attack = `${'a'.repeat(60_000)}!`
    expect(linearRegex('^(a+)+$').test(attack)).toBe(false)
    expect(linearRegex('^(a|aa)+$').test(attack)).toBe(false)
    expect(linearRegex('(x+x+)+y').test('x'.repeat(60_000))).toBe(false)
    expect(linearRegex('^(a+)+!$').test(attack)).toBe(true)
  })

  it('says what is wrong with a pattern, and where', () => {
    const refusals = [
      '(?=a)b',
      '(?<!a)b',
      '(a)\\1',
      '[',
      'a{2000}',
      '(?:a{100}){50}',
      'x'.repeat(1001),
    ].map((pattern) => {
      try {
        linearRegex(pattern, { path: 'rules[2].value' })
      } catch (error) {
        if (isSteelyardError(error, 'invalid-option')) return error
      }
      throw new Error(`${pattern} was taken`)
    })
    expect(refusals.map((error) => error.path)).toEqual(refusals.map(() => 'rules[2].value'))
    expect(refusals.map((error) => error.message)).toEqual([
      expect.stringContaining('looks around'),
      expect.stringContaining('looks around'),
      expect.stringContaining('refers back'),
      expect.stringContaining('missing closing ]'),
      expect.stringContaining('invalid repeat count'),
      expect.stringMatching(/invalid repeat count|repeats too much/),
      expect.stringContaining('longer than 1000'),
    ])
    expect(() => linearRegex(/a/m)).toThrow(/flags/)
  })

  it('bounds the text', () => {
    expect(() => linearRegex('a').test('b'.repeat(65_537))).toThrow(RangeError)
  })

  it('takes a RegExp and its case', () => {
    const regex = linearRegex(/^\/(?<part>[a-z]+)\/é/i)
    expect(regex.test('/ABC/É')).toBe(true)
    expect(regex.groupNames).toContain('part')
  })

  it('replaces every match, whatever the engine', () => {
    for (const pattern of ['(\\d)(x)?', '(?:\\b|)(\\d)(x)?']) {
      const regex = linearRegex(pattern)
      const result = regex.replace('a1b2xc', (groups) => `<${groups[1]}${groups[2] ?? ''}>`)
      expect(result).toBe('a<1>b<2x>c')
    }
    expect(linearRegex('(?:\\b|)(\\d)(x)?').engine).toBe('automaton')
  })

  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '/', '1', 'K', '\u212a', 'é', '\n'),
    maxLength: 12,
  })

  it('means the same in both engines', () => {
    fc.assert(
      fc.property(
        patternText(3),
        fc.boolean(),
        fc.array(text, { minLength: 1 }),
        (pattern, ignoreCase, texts) => {
          const regex = linearRegex(pattern, { ignoreCase })
          fc.pre(regex.engine === 'native')
          const automaton = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0)
          for (const one of texts)
            expect({ one, is: regex.test(one) }).toEqual({ one, is: automaton.test(one) })
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('never calls a pattern cheap that makes a backtracking engine work', () => {
    const long = fc.array(fc.constantFrom('a', 'b', '/', '1', 'ab', 'a/', 'aa'), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(patternText(4), long, fc.constantFrom('', '!', 'b'), (pattern, unit, end) => {
        const node = parseRegex(pattern, false)
        if (node === undefined || !isCheap(node)) return fc.pre(false)
        const attack = unit.join('').repeat(60) + end
        expect(steps(node, attack)).toBeLessThan(2000 * (attack.length + 1))
      }),
      { numRuns: 3000 },
    )
  })
})

/** Patterns of what both engines know. */
function patternText(depth: number): fc.Arbitrary<string> {
  const atom = fc.constantFrom(
    'a',
    'b',
    '1',
    '/',
    '.',
    '[ab]',
    '[^a/]',
    '\\d',
    '\\w',
    '\\S',
    'k',
    '\\.',
    '[a-k1]',
  )
  const { node } = fc.letrec<{ node: string; part: string }>((tie) => ({
    part: fc.oneof(
      { depthSize: 'small', maxDepth: depth },
      atom,
      fc
        .tuple(atom, fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{2,}', '*?', '??'))
        .map(([a, q]) => a + q),
      fc
        .tuple(tie('node'), fc.constantFrom('', '*', '+', '?', '{0,2}', '{1,}'))
        .map(([inner, q]) => `(?:${inner})${q}`),
      tie('node').map((inner) => `(${inner})`),
    ),
    node: fc.oneof(
      { depthSize: 'small', maxDepth: depth },
      fc.array(tie('part'), { maxLength: 3 }).map((parts) => parts.join('')),
      fc.tuple(tie('node'), tie('node')).map(([a, b]) => `${a}|${b}`),
      tie('node').map((inner) => `^${inner}`),
      tie('node').map((inner) => `${inner}$`),
    ),
  }))
  return node
}

/** What a plain backtracking search does until it has an answer, counted. */
function steps(node: RegexNode, text: string): number {
  let count = 0
  type Next = (at: number) => boolean
  const run = (part: RegexNode, at: number, next: Next): boolean => {
    count += 1
    if (count > 5_000_000) throw new Error('it runs away')
    switch (part.kind) {
      case 'char': {
        const code = text.charCodeAt(at)
        const bit = code < 128 ? 1n << BigInt(code) : other
        return at < text.length && (part.set & everyChar & bit) !== 0n && next(at + 1)
      }
      case 'start':
        return at === 0 && next(at)
      case 'end':
        return at === text.length && next(at)
      case 'group':
        return run(part.item, at, next)
      case 'sequence': {
        const from = (index: number, place: number): boolean => {
          const item = part.items[index]
          return item === undefined
            ? next(place)
            : run(item, place, (behind) => from(index + 1, behind))
        }
        return from(0, at)
      }
      case 'choice':
        return part.items.some((item) => run(item, at, next))
      case 'repeat': {
        const { item, least, most, lazy } = part
        const round = (done: number, place: number): boolean => {
          const more = (): boolean =>
            done < most && run(item, place, (behind) => round(done + 1, behind))
          const leave = (): boolean => done >= least && next(place)
          return lazy ? leave() || more() : more() || leave()
        }
        return round(0, at)
      }
      default:
        return part satisfies never
    }
  }
  const bound = anchor(node) === '^'
  for (let at = 0; at <= (bound ? 0 : text.length); at++) if (run(node, at, () => true)) break
  return count
}

/** `^` when the pattern begins with it. */
function anchor(node: RegexNode): string {
  if (node.kind === 'start') return '^'
  if (node.kind === 'sequence') return node.items[0] === undefined ? '' : anchor(node.items[0])
  return node.kind === 'group' ? anchor(node.item) : ''
}
