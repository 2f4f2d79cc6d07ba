import { nearestName, SteelyardError } from '@steelyard/core'
import { Complaints } from './complaints.ts'
import type { Draft } from './draft.ts'
import type { Finding } from './finding.ts'
import { type JsonSchema, jsonOf, typesOf, variantOf, wordsOf } from './json-schema.ts'
import type { Path } from './path.ts'
import { readScalar } from './read-scalar.ts'
import type { Meant } from './schema/meaning.ts'
import { type SourceText, sourceText } from './source-text.ts'
import { entryOf, type MapTree, type Tree, treeOf } from './tree.ts'
import { exampleOf, hasControl, titleOf, typeOf } from './wording.ts'

/** Aliases may repeat a value often; so many values at most are looked at. */
const mostValues = 500_000

/** What {@link validate} found. */
export interface Validation<Schema> {
  /** What is valid of it, with defaults filled in; all of it when there are no findings. */
  readonly draft: Draft<Meant<Schema>> | undefined
  readonly findings: readonly Finding[]
}

/**
 * Holds a tree against a schema: every finding at once, with its place and what to do, and the meaning
 * of what is valid.
 */
export function validate<Schema extends object>(
  schema: Schema,
  tree: Tree,
  source: SourceText,
): Validation<Schema> {
  const validator = new Validator(source)
  const draft = validator.read(jsonOf(schema), tree, [])
  return {
    draft: draft as Draft<Meant<Schema>> | undefined,
    findings: validator.complaints.findings,
  }
}

/** What a plain value means by a schema that it is known to fit, with defaults filled in. */
export function meaningOf<Schema extends object>(schema: Schema, value: unknown): Meant<Schema> {
  return meaning(jsonOf(schema), value) as Meant<Schema>
}

function meaning(schema: JsonSchema, value: unknown): unknown {
  const validator = new Validator(sourceText('', ''))
  const meant = validator.read(schema, treeOf(value), [])
  const [finding] = validator.complaints.findings
  if (finding === undefined) return meant
  throw new SteelyardError(`${JSON.stringify(value)} does not fit its schema: ${finding.message}`, {
    code: 'schema-defect',
    source: 'system',
    path: finding.path,
  })
}

/** Walks one tree. `undefined` stands for a value that is not valid. */
class Validator {
  readonly complaints: Complaints
  #values = 0

  constructor(source: SourceText) {
    this.complaints = new Complaints(source)
  }

  read(schema: JsonSchema, tree: Tree, path: Path): unknown {
    if (this.complaints.exhausted) return undefined
    this.#values += 1
    if (this.#values > mostValues) {
      this.complaints.add(
        'yaml-too-deep',
        tree.span,
        path,
        `the document repeats values more than ${mostValues} times`,
        'use fewer aliases',
      )
      this.complaints.exhausted = true
      return undefined
    }
    if (schema.discriminator !== undefined) return this.#variant(schema, tree, path)
    if (schema.anyOf !== undefined) return this.#union(schema, tree, path)
    if (!typesOf(schema).includes(typeOf(tree))) {
      this.complaints.wrongType(schema, tree, path)
      return undefined
    }
    switch (tree.kind) {
      case 'map':
        return schema.patternProperties === undefined
          ? this.#group(schema, tree, path, [])
          : this.#dictionary(schema, tree, path)
      case 'list':
        return this.#list(schema, tree, path)
      case 'scalar':
        return readScalar(schema, tree, path, this.complaints)
      default:
        return tree satisfies never
    }
  }

  #variant(schema: JsonSchema, tree: Tree, path: Path): unknown {
    if (tree.kind !== 'map') {
      this.complaints.wrongType(schema, tree, path)
      return undefined
    }
    const key = schema.discriminator!.propertyName
    const words = wordsOf(schema)
    const entry = entryOf(tree, key)
    if (entry === undefined) {
      const typo = tree.entries.find((other) => nearestName(other.key, [key]) !== undefined)
      if (typo !== undefined) {
        this.complaints.unknownKey(schema, typo.key, typo.keySpan, path, [key])
        return undefined
      }
      const hint = `write "${key}: ${words.join(' | ')}"`
      this.complaints.missing(schema, key, tree, path, hint)
      return undefined
    }
    const word = entry.value.kind === 'scalar' ? entry.value.value : undefined
    const variant = variantOf(schema, word)
    if (variant !== undefined) {
      return this.#group(
        variant,
        tree,
        path,
        schema.anyOf!.filter((other) => other !== variant),
      )
    }
    this.complaints.unknownWord(entry.value, [...path, key], words, schema.title ?? key)
    return undefined
  }

  #union(schema: JsonSchema, tree: Tree, path: Path): unknown {
    const type = typeOf(tree)
    const fitting = schema.anyOf!.filter((one) => typesOf(one).includes(type))
    const [first] = fitting
    if (first === undefined) {
      this.complaints.wrongType(schema, tree, path)
      return undefined
    }
    if (tree.kind !== 'map') return this.read(first, tree, path)
    // Of several kinds of objects the one is meant whose keys were written.
    const known = ({ properties = {} }: JsonSchema): number =>
      tree.entries.filter(({ key }) => Object.hasOwn(properties, key)).length
    const meant = fitting.reduce((best, one) => (known(one) > known(best) ? one : best), first)
    return this.read(meant, tree, path)
  }

  #group(schema: JsonSchema, tree: MapTree, path: Path, variants: readonly JsonSchema[]): unknown {
    const properties = schema.properties ?? {}
    const names = Object.keys(properties)
    const guesses = new Set<string>()
    const found = new Map<string, unknown>()
    for (const { key, keySpan, value } of tree.entries) {
      const property = Object.hasOwn(properties, key) ? properties[key] : undefined
      if (property !== undefined) {
        const meant = this.read(property, value, [...path, key])
        if (meant !== undefined) found.set(key, meant)
        continue
      }
      const owners = variants.filter((variant) => Object.hasOwn(variant.properties ?? {}, key))
      if (owners.length > 0) {
        const titles = owners.map((owner) => titleOf(owner)).join(' or ')
        this.complaints.add(
          'option-not-applicable',
          keySpan,
          [...path, key],
          `"${key}" is an option of a ${titles}, not of a ${titleOf(schema)}`,
          'remove it, or choose the kind that has it',
        )
        continue
      }
      const guess = nearestName(key, names)
      if (guess !== undefined) guesses.add(guess)
      this.complaints.unknownKey(schema, key, keySpan, path, names)
    }
    for (const name of names) {
      if (entryOf(tree, name) !== undefined) continue
      const property = properties[name]!
      if (schema.required?.includes(name)) {
        // A mistyped key is one mistake, not two.
        if (!guesses.has(name))
          this.complaints.missing(schema, name, tree, path, exampleOf(name, property))
      } else if (property.default !== undefined) {
        found.set(name, meaning(property, property.default))
      }
    }
    // In the order of the schema, so that documents that mean the same look the same.
    return Object.fromEntries(
      names.filter((name) => found.has(name)).map((name) => [name, found.get(name)]),
    )
  }

  #dictionary(schema: JsonSchema, tree: MapTree, path: Path): unknown {
    const [value] = Object.values(schema.patternProperties!)
    const most = schema.maxProperties ?? Number.POSITIVE_INFINITY
    if (tree.entries.length > most) {
      this.complaints.add(
        'out-of-range',
        tree.span,
        path,
        `there are ${tree.entries.length} ${titleOf(schema)}, and at most ${most} are allowed`,
        'remove some',
      )
      return undefined
    }
    const result = tree.entries.flatMap(({ key, keySpan, value: item }) => {
      if (key === '' || key.length > 255 || hasControl(key)) {
        this.complaints.add(
          'invalid-value',
          keySpan,
          [...path, key],
          'the key is empty, too long, or holds control characters',
          'write a short word',
        )
        return []
      }
      return [[key, this.read(value!, item, [...path, key])] as const]
    })
    return Object.fromEntries(result.filter(([, meant]) => meant !== undefined))
  }

  #list(schema: JsonSchema, tree: Extract<Tree, { kind: 'list' }>, path: Path): unknown {
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema
    const { length } = tree.items
    if (length < minItems || length > maxItems) {
      const needed =
        length < minItems
          ? `needs at least ${minItems} ${minItems === 1 ? 'entry' : 'entries'}`
          : `may have at most ${maxItems} entries`
      const hint =
        length < minItems ? `for example: ${JSON.stringify(schema.examples?.[0])}` : 'remove some'
      this.complaints.add(
        'out-of-range',
        tree.span,
        path,
        `${titleOf(schema)} ${needed}, not ${length}`,
        hint,
      )
      return undefined
    }
    return tree.items.map((item, index) => this.read(schema.items!, item, [...path, index]))
  }
}
