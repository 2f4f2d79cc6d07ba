import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { Check } from 'typebox/schema'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { schemaText } from '../../src/commands/schema.ts'
import type { JsonSchema } from '../../src/desired/json-schema.ts'
import { jsonOf } from '../../src/desired/json-schema.ts'
import { documentSchema } from '../../src/desired/schema.ts'
import { sourceText } from '../../src/desired/source-text.ts'
import { treeOf } from '../../src/desired/tree.ts'
import { validate } from '../../src/desired/validate.ts'
import { fullDocument, issueDocument } from './issue-document.ts'

const source = sourceText('', '')
const published = JSON.parse(
  readFileSync(new URL('../../schema.json', import.meta.url), 'utf8'),
) as Record<string, unknown>

/** Every schema of the document with its path, each once. */
function* parts(schema: JsonSchema, path: string): Generator<[string, JsonSchema]> {
  yield [path, schema]
  for (const [name, item] of Object.entries(schema.properties ?? {}))
    yield* parts(item, `${path}.${name}`)
  if (schema.items !== undefined) yield* parts(schema.items, `${path}[]`)
  for (const [index, item] of (schema.anyOf ?? []).entries()) yield* parts(item, `${path}|${index}`)
  for (const item of Object.values(schema.patternProperties ?? {})) yield* parts(item, `${path}.*`)
}
const all = [...parts(jsonOf(documentSchema), '$')]

const findingsOf = (schema: JsonSchema, value: unknown): string[] =>
  validate(schema as object, treeOf(value), source).findings.map(({ message }) => message)

describe('the schema', () => {
  it('is published as it is (run "node scripts/schema.ts" in examples/appliance if not)', () => {
    expect(`${JSON.stringify(published, null, 2)}\n`).toBe(schemaText())
  })

  it('describes every field', () => {
    expect(all.length).toBeGreaterThan(500)
    for (const [path, { title, description, examples }] of all) {
      expect(title, path).toMatch(/\S/)
      expect(description, path).toMatch(/\.$/)
      expect(examples?.length, path).toBeGreaterThan(0)
    }
  })

  it('says of every field that may be left out what happens then', () => {
    for (const [path, { properties = {}, required = [] }] of all) {
      for (const [name, item] of Object.entries(properties)) {
        if (required.includes(name)) continue
        const says = item.default !== undefined || item.description?.includes('Default: ')
        expect(says, `${path}.${name}`).toBe(true)
      }
    }
  })

  it('has examples and defaults that are valid, to us and to any other validator', () => {
    for (const [path, schema] of all) {
      const values = [
        ...(schema.examples ?? []),
        ...(schema.default === undefined ? [] : [schema.default]),
      ]
      for (const value of values) {
        expect(findingsOf(schema, value), `${path} ${JSON.stringify(value)}`).toEqual([])
        expect(Value.Check(schema as never, value), `${path} ${JSON.stringify(value)}`).toBe(true)
      }
    }
  })

  it('is small enough to read, and still says the same', () => {
    expect(JSON.stringify(published).length).toBeLessThan(220_000)
    for (const document of [issueDocument, fullDocument]) {
      expect(Check(published as never, parseYaml(document))).toBe(true)
      expect(
        Check(published as never, parseYaml(document.replace('weight: 2', 'weight: -1'))),
      ).toBe(false)
      expect(Check(published as never, parseYaml(document.replace('members', 'membres')))).toBe(
        false,
      )
    }
  })

  it('means to us what it means to any other validator', () => {
    const examples = [parseYaml(issueDocument), parseYaml(fullDocument)] as object[]
    const replacement = fc.oneof(
      fc.constantFrom<unknown>(
        null,
        true,
        0,
        -1,
        1.5,
        1e9,
        '',
        'x',
        [],
        {},
        ['a'],
        { type: 'tcp' },
        { name: 'x' },
      ),
      fc.constantFrom(...all.flatMap(([, { examples: values = [] }]) => values)),
    )
    fc.assert(
      fc.property(
        fc.constantFrom(...examples),
        fc.nat(),
        replacement,
        fc.boolean(),
        (document, at, value, drop) => {
          const copy = structuredClone(document)
          const places: [object, string][] = []
          const walk = (node: unknown): void => {
            if (typeof node !== 'object' || node === null) return
            for (const [key, item] of Object.entries(node)) {
              places.push([node, key])
              walk(item)
            }
          }
          walk(copy)
          const [owner, key] = places[at % places.length]!
          if (drop) Reflect.deleteProperty(owner, key)
          else Reflect.set(owner, key, value)
          const clean = JSON.parse(JSON.stringify(copy)) as object
          const ours = findingsOf(jsonOf(documentSchema), clean)
          const theirs = Value.Check(documentSchema, clean)
          // Texts with a form, and the bounds of durations and sizes, are judged more strictly here than a pattern can.
          if (theirs)
            expect(
              ours.filter(
                (message) =>
                  !/ is not | is no | needs a port| names no | must be a value [^"]*, not "/.test(
                    message,
                  ),
              ),
            ).toEqual([])
          else expect(ours).not.toEqual([])
        },
      ),
      { numRuns: 1500 },
    )
  })
})
