import type { FormName } from './schema/forms.ts'

/** The part of JSON Schema (2020-12) that the document's schema uses, as data. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly const?: string | number | boolean
  readonly enum?: readonly string[]
  readonly format?: FormName
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly items?: JsonSchema
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>
  readonly maxProperties?: number
  readonly anyOf?: readonly JsonSchema[]
  readonly discriminator?: { readonly propertyName: string }
}

/** A TypeBox schema as the data that it is. */
export function jsonOf(schema: object): JsonSchema {
  return schema
}

/** The JSON types that a schema takes; `integer` counts as number. */
export function typesOf(schema: JsonSchema): readonly string[] {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.flatMap(typesOf))]
  if (schema.const !== undefined) return [typeof schema.const]
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? [])
  return [...new Set(types.map((type) => (type === 'integer' ? 'number' : type)))]
}

/** The variant of a discriminated union that a word names. */
export function variantOf(schema: JsonSchema, word: unknown): JsonSchema | undefined {
  const key = schema.discriminator?.propertyName
  if (key === undefined) return undefined
  return schema.anyOf?.find((variant) => variant.properties?.[key]?.const === word)
}

/** The words that tell the variants of a discriminated union apart. */
export function wordsOf(schema: JsonSchema): readonly string[] {
  const key = schema.discriminator?.propertyName ?? ''
  return (schema.anyOf ?? []).map((variant) => String(variant.properties?.[key]?.const))
}
