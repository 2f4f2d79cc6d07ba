import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Field, fieldIdAt, fieldIdOf, fieldNames } from '../../src/wire/field.ts'
import { Head } from '../../src/wire/head.ts'
import { latin1, lowerLatin1 } from '../../src/wire/latin1.ts'
import { RequestHead } from '../../src/wire/request-head.ts'
import { bytesOf, linesOf, textOf } from './wire-text.ts'

function written(head: Head): string {
  // Just the room that it asks for: one byte too many would be lost, and seen.
  const into = new Uint8Array(head.size)
  return textOf(into, 0, head.writeLines(into, 0))
}

describe('fields', () => {
  test('are known by name, whatever its case', () => {
    for (const [name, id] of Object.entries(Field)) {
      const lower = fieldNames[id]!
      if (id === 0) continue
      expect(lower.replaceAll('-', '')).toBe(name.toLowerCase())
      expect(fieldIdOf(lower)).toBe(id)
      for (const text of [
        lower,
        lower.toUpperCase(),
        `${lower[0]!.toUpperCase()}${lower.slice(1)}`,
      ]) {
        expect(fieldIdAt(bytesOf(`##${text}##`), 2, 2 + text.length)).toBe(id)
      }
    }
  })

  test('are known by nothing else: not by any other token of one changed letter', () => {
    const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
    for (const name of fieldNames.slice(1)) {
      for (let at = 0; at < name.length; at++) {
        for (const char of token) {
          const text = name.slice(0, at) + char + name.slice(at + 1)
          expect(fieldIdAt(bytesOf(text), 0, text.length)).toBe(fieldIdOf(text))
        }
      }
      for (const text of [
        `${name}x`,
        name.slice(0, -1),
        name.replace('-', '_'),
        `${name}${name}`,
      ]) {
        expect(fieldIdAt(bytesOf(text), 0, text.length)).toBe(fieldIdOf(text))
      }
    }
  })
})

test('texts of ranges are a character a byte', () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => i & 255)
  for (let length = 0; length <= 60; length++) {
    const text = String.fromCharCode(...bytes.subarray(60, 60 + length))
    expect(latin1(bytes, 60, 60 + length)).toBe(text)
    expect(lowerLatin1(bytes, 60, 60 + length)).toBe(
      text.replace(/[A-Z]/g, (char) => char.toLowerCase()),
    )
  }
})

describe('lines', () => {
  test('that cannot be sent are not added', () => {
    const head = new Head()
    head.add('A', 'b')
    const bad: [string, string][] = [
      ['', 'x'],
      ['a b', 'x'],
      ['a:', 'x'],
      ['a\r\n', 'x'],
      ['ä', 'x'],
      ['a\u0161', 'x'],
      ['B', 'x\r\ny'],
      ['B', 'x\0'],
      ['B', '\u560a'],
      ['B', '\u010d'],
      ['B', '\x7f'],
    ]
    for (const [name, value] of bad) expect(() => head.add(name, value)).toThrow(RangeError)
    head.add('C', '\t\xff')
    expect(written(head)).toBe('A: b\r\nC: \t\xff\r\n')
  })

  test('keep the white space they came with, and are given room for it', () => {
    const head = new Head(0, 1)
    const text = `A:  x${' '.repeat(100)}\r\nB:y\r\n`
    head.reserve(text.length)
    head.bytes.set(bytesOf(text))
    head.used = text.length
    head.addLine(0, 1, 4, 5, 0)
    head.addLine(107, 108, 109, 110, 0)
    expect(linesOf(head)).toEqual([
      ['A', 'x'],
      ['B', 'y'],
    ])
    expect(written(head)).toBe(text)
    head.drop(0)
    expect(written(head)).toBe('B:y\r\n')
  })
})

describe('an overlay', () => {
  test('shares the bytes until it writes', () => {
    const base = new Head()
    base.add('A', '1')
    const overlay = new Head()
    overlay.layOver(base)
    expect(overlay.bytes).toBe(base.bytes)
    overlay.remove('A')
    expect(overlay.bytes).toBe(base.bytes)
    overlay.add('B', '2')
    expect(overlay.bytes).not.toBe(base.bytes)
    expect([written(base), written(overlay)]).toEqual(['A: 1\r\n', 'B: 2\r\n'])
  })

  test('does not disturb its base or another overlay, nor they it', () => {
    const base = new Head(64, 2)
    base.add('A', '1')
    const one = new Head(0)
    const two = new Head(0)
    one.layOver(base)
    two.layOver(base)
    one.add('One', '1')
    two.add('Two', '2')
    base.add('Base', '3')
    expect(linesOf(one)).toEqual([
      ['A', '1'],
      ['One', '1'],
    ])
    expect(linesOf(two)).toEqual([
      ['A', '1'],
      ['Two', '2'],
    ])
    expect(linesOf(base)).toEqual([
      ['A', '1'],
      ['Base', '3'],
    ])
    two.layOver(one)
    two.set('A', '9')
    expect([written(one), written(two)]).toEqual(['A: 1\r\nOne: 1\r\n', 'One: 1\r\nA: 9\r\n'])
  })

  test('that is reset has its own room again', () => {
    const base = new Head()
    base.add('A', '1')
    const overlay = new Head()
    const own = overlay.bytes
    overlay.layOver(base)
    overlay.layOver(base)
    overlay.reset()
    expect(overlay.bytes).toBe(own)
    overlay.add('B', '2')
    expect(written(base)).toBe('A: 1\r\n')
  })

  test('of a request says what the request says', () => {
    const base = new RequestHead()
    base.method = 'PUT'
    base.path = '/x'
    base.authority = 'h:1'
    base.bodyLength = 7
    const overlay = new RequestHead(0)
    overlay.layOver(base)
    expect({ ...overlay, bytes: 0, ranges: 0, ids: 0 }).toEqual({
      ...base,
      bytes: 0,
      ranges: 0,
      ids: 0,
    })
  })
})

test('edits do what they would do to a list of pairs', () => {
  const name = fc.constantFrom(
    'Host',
    'host',
    'X-A',
    'x-a',
    'X_A',
    'Via',
    'Content-Length',
    'Set-Cookie',
  )
  const value = fc.stringMatching(/^[a-z]{0,80}$/)
  const edit = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), name, value }),
    fc.record({ kind: fc.constant('set' as const), name, value }),
    fc.record({ kind: fc.constant('remove' as const), name, value: fc.constant('') }),
    fc.record({ kind: fc.constant('overlay' as const), name, value: fc.constant('') }),
  )
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 60 }), (edits) => {
      let head = new Head(16, 1)
      let model: [string, string][] = []
      const kept: { head: Head; text: string }[] = []
      for (const { kind, name: field, value: text } of edits) {
        const others = model.filter(([each]) => each.toLowerCase() !== field.toLowerCase())
        if (kind === 'add') head.add(field, text)
        else if (kind === 'set') head.set(field, text)
        else if (kind === 'remove') expect(head.remove(field)).toBe(model.length - others.length)
        else {
          kept.push({ head, text: written(head) })
          const overlay = new Head(16, 1)
          overlay.layOver(head)
          head = overlay
        }
        if (kind === 'set' || kind === 'remove') model = others
        if (kind === 'add' || kind === 'set') model.push([field, text])
        expect(linesOf(head)).toEqual(model)
        expect(head.all(field)).toEqual(
          model
            .filter(([each]) => each.toLowerCase() === field.toLowerCase())
            .map(([, each]) => each),
        )
        expect(head.get(field)).toBe(head.all(field)[0])
        expect(head.has(field)).toBe(head.all(field).length > 0)
      }
      expect(written(head)).toBe(model.map(([each, text]) => `${each}: ${text}\r\n`).join(''))
      for (const each of kept) expect(written(each.head)).toBe(each.text)
    }),
    { numRuns: 300 },
  )
})
