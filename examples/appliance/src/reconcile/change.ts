import { formatDuration } from '@steelyard/core'
import { type JsonSchema, variantOf } from '../desired/json-schema.ts'
import { same } from './same.ts'

/** One thing that differs between two forms of an object. */
export interface Change {
  /** Below the object: `timeouts.client`, `members.10.0.0.3:80.weight`. */
  readonly path: string
  /** For people: `timeouts.client 50s → 1m`. */
  readonly text: string
  /** Absent when it was not there. */
  readonly from?: unknown
  /** Absent when it will not be there. */
  readonly to?: unknown
}

/**
 * What differs between two values, down to the single option. The schema says how values are written
 * (a duration, a size) and which options belong to which kind.
 */
export function changesBetween(
  schema: JsonSchema | undefined,
  from: unknown,
  to: unknown,
  path: readonly string[] = [],
): readonly Change[] {
  if (same(from, to)) return []
  if (isObject(from) && isObject(to)) {
    const key = schema?.discriminator?.propertyName
    // Another kind is another thing: its options are not those of the first.
    if (key === undefined || from[key] === to[key]) {
      return [...new Set([...Object.keys(from), ...Object.keys(to)])].flatMap((name) =>
        changesBetween(below(schema, name, from), from[name], to[name], [...path, name]),
      )
    }
  }
  const name = path.join('.')
  return [{ path: name, text: textOf(schema, name, from, to), ...ends(from, to) }]
}

function ends(from: unknown, to: unknown): { readonly from?: unknown; readonly to?: unknown } {
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
}

function textOf(schema: JsonSchema | undefined, name: string, from: unknown, to: unknown): string {
  if (Array.isArray(from) && Array.isArray(to)) return listText(schema, name, from, to)
  return `${name} ${formatValue(schema, from)} → ${formatValue(schema, to)}`.trimStart()
}

function listText(
  schema: JsonSchema | undefined,
  name: string,
  from: readonly unknown[],
  to: readonly unknown[],
): string {
  const added = to.filter((item) => !from.some((other) => same(other, item)))
  const removed = from.filter((item) => !to.some((other) => same(other, item)))
  if (added.length + removed.length === 0) return `${name}: other order`
  const show = (sign: string, items: readonly unknown[]): string[] =>
    items.map((item) => `${sign}${formatValue(itemsOf(schema), item)}`)
  const parts = [...show('+', added), ...show('-', removed)]
  const more = parts.length - 6
  return `${name}: ${parts.slice(0, 6).join(' ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** A value as it would be written in a document. */
function formatValue(schema: JsonSchema | undefined, value: unknown): string {
  if (value === undefined) return 'none'
  if (typeof value === 'number') {
    if (formatOf(schema) === 'time-span') return value === 0 ? '0s' : formatDuration(value)
    if (formatOf(schema) === 'byte-size') return formatSize(value)
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => formatValue(itemsOf(schema), item)).join(', ')}]`
  }
  if (isObject(value)) {
    const parts = Object.entries(value).map(
      ([key, item]) => `${key}: ${formatValue(below(schema, key, value), item)}`,
    )
    return parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`
  }
  const isPlain = typeof value === 'string' && /^[\w.:/@*+[\]-]+$/.test(value)
  return isPlain ? value : JSON.stringify(value)
}

/** The largest unit that writes it exactly. */
function formatSize(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`
  }
  return `${bytes}B`
}

/** The schema of an option: by its name, in the variant that the object is. */
function below(
  schema: JsonSchema | undefined,
  name: string,
  object: Readonly<Record<string, unknown>>,
): JsonSchema | undefined {
  if (schema === undefined) return undefined
  const key = schema.discriminator?.propertyName
  if (key !== undefined) return variantOf(schema, object[key])?.properties?.[name]
  const own = schema.properties?.[name] ?? Object.values(schema.patternProperties ?? {})[0]
  if (own !== undefined) return own
  const objects = schema.anyOf?.filter((one) => one.type === 'object' || one.anyOf !== undefined)
  return objects?.map((one) => below(one, name, object)).find((one) => one !== undefined)
}

function formatOf(schema: JsonSchema | undefined): string | undefined {
  return schema?.format ?? schema?.anyOf?.find(({ format }) => format !== undefined)?.format
}

function itemsOf(schema: JsonSchema | undefined): JsonSchema | undefined {
  return schema?.items ?? schema?.anyOf?.find(({ items }) => items !== undefined)?.items
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
