import { isSteelyardError } from '@steelyard/core'
import type { Complaints } from './complaints.ts'
import type { JsonSchema } from './json-schema.ts'
import type { Path } from './path.ts'
import { readForm } from './read-form.ts'
import type { ScalarTree } from './tree.ts'
import { hasControl, quoted, rangeText, titleOf } from './wording.ts'

/** What a single value means by its schema, or `undefined` with a complaint. */
export function readScalar(
  schema: JsonSchema,
  tree: ScalarTree,
  path: Path,
  complaints: Complaints,
): string | number | boolean | undefined {
  const { value } = tree
  if (value === null) {
    complaints.wrongType(schema, tree, path)
    return undefined
  }
  if (schema.const !== undefined) {
    if (schema.const === value) return value
    const hint = `write "${String(path.at(-1) ?? '')}: ${String(schema.const)}"`
    complaints.add(
      'unknown-value',
      tree.span,
      path,
      `${titleOf(schema)} must be ${String(schema.const)}, not ${quoted(tree)}`,
      hint,
    )
    return undefined
  }
  if (schema.enum !== undefined) {
    if (schema.enum.includes(String(value))) return value
    complaints.unknownWord(tree, path, schema.enum, schema.title ?? 'value')
    return undefined
  }
  if (typeof value === 'boolean') return value
  const meant = schema.format === undefined ? value : formed(schema, tree, value, path, complaints)
  if (meant === undefined) return undefined
  if (typeof meant === 'number') return inBounds(schema, tree, meant, path, complaints)
  return fitting(schema, tree, meant, path, complaints)
}

function formed(
  schema: JsonSchema,
  tree: ScalarTree,
  value: string | number,
  path: Path,
  complaints: Complaints,
): string | number | undefined {
  const most = schema.maxLength ?? 255
  if (typeof value === 'string' && value.length > most) {
    complaints.tooLong(schema, tree, most, path)
    return undefined
  }
  try {
    return readForm(schema.format!, value)
  } catch (error) {
    if (!isSteelyardError(error, 'invalid-option')) throw error
    const text = error.message.replace(/^[^:"]*: /, '')
    const [, problem = text, remedy] = /^(.*): ((?:write|use) .*)$/s.exec(text) ?? []
    const hint =
      remedy ?? `${schema.description ?? ''} For example: ${JSON.stringify(schema.examples?.[0])}`
    complaints.add('invalid-value', tree.span, path, problem, hint)
    return undefined
  }
}

function inBounds(
  schema: JsonSchema,
  tree: ScalarTree,
  meant: number,
  path: Path,
  complaints: Complaints,
): number | undefined {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema
  const isWhole = schema.type !== 'integer' || Number.isSafeInteger(meant)
  if (isWhole && meant >= minimum && meant <= maximum) return meant
  const range = rangeText(schema)
  complaints.add(
    'out-of-range',
    tree.span,
    path,
    `${titleOf(schema)} must be ${schema.type === 'integer' ? 'a whole number' : 'a value'} ${range}, not ${quoted(tree)}`,
    schema.description ?? '',
  )
  return undefined
}

function fitting(
  schema: JsonSchema,
  tree: ScalarTree,
  meant: string,
  path: Path,
  complaints: Complaints,
): string | undefined {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = schema
  const written = String(tree.value)
  // Code points, as JSON Schema counts them.
  const length = [...written].length
  if (length > maxLength) {
    complaints.tooLong(schema, tree, maxLength, path)
    return undefined
  }
  if (length < minLength) {
    complaints.add(
      'out-of-range',
      tree.span,
      path,
      `${titleOf(schema)} must not be empty`,
      schema.description ?? '',
    )
    return undefined
  }
  if (pattern === undefined || new RegExp(pattern, 'u').test(written)) return meant
  const problem = hasControl(written)
    ? 'holds control characters'
    : 'does not have the form asked for'
  complaints.add(
    'invalid-value',
    tree.span,
    path,
    `${titleOf(schema)} ${problem}`,
    `for example: ${JSON.stringify(schema.examples?.[0])}`,
  )
  return undefined
}
