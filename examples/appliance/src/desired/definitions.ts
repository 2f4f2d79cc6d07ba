import type { JsonSchema } from './json-schema.ts'

/** Shorter ones are clearer where they stand. */
const shortest = 160

/**
 * The same schema with every larger part that occurs more than once under `$defs`, so that a file of it
 * has a readable size.
 */
export function withDefinitions(schema: JsonSchema): Readonly<Record<string, unknown>> {
  const counts = new Map<string, number>()
  count(schema, counts)
  const names = new Map<string, string>()
  const definitions: Record<string, unknown> = {}

  const lifted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(lifted)
    if (typeof value !== 'object' || value === null) return value
    const text = JSON.stringify(value)
    if (!isSchema(value) || (counts.get(text) ?? 0) < 2 || text.length < shortest)
      return inner(value)
    let name = names.get(text)
    if (name === undefined) {
      name = freeName(value, definitions)
      names.set(text, name)
      // Reserved first: parts of it may be lifted too.
      definitions[name] = true
      definitions[name] = inner(value)
    }
    return { $ref: `#/$defs/${name}` }
  }
  const inner = (value: object): unknown =>
    Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, isData(key) ? item : lifted(item)]),
    )

  const root = inner(schema) as Record<string, unknown>
  return { ...root, $defs: definitions }
}

function count(value: unknown, counts: Map<string, number>): void {
  if (Array.isArray(value)) for (const item of value) count(item, counts)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return
  if (isSchema(value)) {
    const text = JSON.stringify(value)
    const before = counts.get(text) ?? 0
    counts.set(text, before + 1)
    // What is in a part that is lifted is lifted with it.
    if (before > 0) return
  }
  for (const [key, item] of Object.entries(value)) if (!isData(key)) count(item, counts)
}

function isData(key: string): boolean {
  return key === 'examples' || key === 'default'
}

function isSchema(value: object): value is JsonSchema {
  return 'description' in value && 'title' in value && typeof value.title === 'string'
}

function freeName(schema: JsonSchema, taken: Readonly<Record<string, unknown>>): string {
  const base = (schema.title ?? 'part').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`
    if (!Object.hasOwn(taken, name)) return name
  }
}
