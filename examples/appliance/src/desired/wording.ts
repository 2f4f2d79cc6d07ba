import { formatDuration, shown } from '@steelyard/core'
import type { JsonSchema } from './json-schema.ts'
import type { Tree } from './tree.ts'

/** The JSON type of a node. */
export function typeOf(tree: Tree): string {
  if (tree.kind === 'map') return 'object'
  if (tree.kind === 'list') return 'array'
  return tree.value === null ? 'null' : typeof tree.value
}

/** A JSON type for people. */
export function typeName(type: string): string {
  switch (type) {
    case 'object':
      return 'an object'
    case 'array':
      return 'a list'
    case 'number':
      return 'a number'
    case 'boolean':
      return 'true or false'
    default:
      return 'text'
  }
}

/** A value for messages. */
export function quoted(tree: Tree): string {
  if (tree.kind === 'map') return 'an object'
  if (tree.kind === 'list') return 'a list'
  return shown(tree.value)
}

/** What to do about a value of the wrong type. */
export function typeHint(schema: JsonSchema, tree: Tree, wanted: readonly string[]): string {
  const value = tree.kind === 'scalar' ? tree.value : undefined
  if (
    typeof value === 'string' &&
    wanted.includes('number') &&
    value.trim() !== '' &&
    Number.isFinite(Number(value))
  ) {
    return 'remove the quotes'
  }
  if (
    typeof value === 'string' &&
    wanted.includes('boolean') &&
    /^(?:y|n|yes|no|on|off)$/i.test(value)
  ) {
    return `write ${/^(?:y|yes|on)$/i.test(value) ? 'true' : 'false'}`
  }
  if (tree.kind === 'scalar' && typeof value !== 'string' && wanted.includes('string')) {
    return `put it in quotes: "${String(value)}"`
  }
  if (wanted.includes('array') && tree.kind === 'scalar')
    return `write a list, even of one: [${String(value)}]`
  return `for example: ${JSON.stringify(schema.examples?.[0])}`
}

/** The bounds of a number for people. */
export function rangeText({ minimum, maximum, format }: JsonSchema): string {
  const text = (value: number): string =>
    format === 'time-span'
      ? formatDuration(value)
      : format === 'byte-size'
        ? `${value} bytes`
        : String(value)
  if (minimum === undefined) return `up to ${text(maximum ?? 0)}`
  return maximum === undefined
    ? `from ${text(minimum)}`
    : `from ${text(minimum)} to ${text(maximum)}`
}

/** How to add a key that is missing. */
export function exampleOf(name: string, property: JsonSchema): string {
  const example = JSON.stringify(property.const ?? property.examples?.[0])
  return `add it, for example "${name}: ${example?.replace(/^"(.*)"$/, '$1') ?? '…'}"`
}

/** The title of a schema within a sentence. */
export function titleOf(schema: JsonSchema): string {
  return lowerCase(schema.title ?? 'value')
}

/** A title within a sentence; `TCP listener` stays as it is. */
export function lowerCase(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text
}

/** Are there characters that are no text? */
export function hasControl(text: string): boolean {
  return /[\u0000-\u001f\u007f]/.test(text)
}
