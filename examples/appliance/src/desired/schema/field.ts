import Type, {
  type TArray,
  type TBoolean,
  type TEnum,
  type TInteger,
  type TLiteral,
  type TNumber,
  type TObject,
  type TOptional,
  type TProperties,
  type TRecord,
  type TSchema,
  type TString,
  type TUnion,
} from 'typebox'
import type { TPreset } from './meaning.ts'

/** What every field says of itself; editors show it. */
export interface Notes {
  readonly title: string
  /** One or two sentences; when there is no default, it says what absence means. */
  readonly description: string
  /** At least one value that may stand here. */
  readonly examples: readonly unknown[]
}

/** A field that may be left out, and then is not there. */
export function optional<Type extends TSchema>(schema: Type): TOptional<Type> {
  return Type.Optional(schema) as TOptional<Type>
}

/** A field that may be left out, and then has this value, written as in a document. */
export function preset<Type extends TSchema>(value: unknown, schema: Type): TPreset<Type> {
  return Object.assign(Type.Optional(schema), { default: value }) as unknown as TPreset<Type>
}

/** Free text. Without `pattern` it may hold anything but control characters. */
export function text(notes: Notes & { pattern?: string; maxLength?: number }): TString {
  return Type.String({
    minLength: 1,
    maxLength: 1024,
    pattern: '^[^\\u0000-\\u001f\\u007f]*$',
    ...notes,
  })
}

/** Text that may hold control characters too, such as what a check sends. */
export function payload(notes: Notes & { maxLength?: number }): TString {
  return Type.String({ maxLength: 4096, ...notes })
}

/** The name of an object: it appears in paths, metrics and commands. */
export function objectName(notes: Notes): TString {
  return Type.String({
    format: 'object-name',
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
    ...notes,
  })
}

/** A whole number. */
export function integer(notes: Notes & { minimum: number; maximum: number }): TInteger {
  return Type.Integer({ ...notes })
}

/** A number, fractions allowed. */
export function decimal(notes: Notes & { minimum: number; maximum: number }): TNumber {
  return Type.Number({ ...notes })
}

/** true or false. */
export function flag(notes: Notes): TBoolean {
  return Type.Boolean({ ...notes })
}

/** One of some words. */
export function choice<const Words extends string[]>(
  words: readonly [...Words],
  notes: Notes,
): TEnum<Words> {
  return Type.Enum<Words>(words, { type: 'string', ...notes })
}

/** The word that tells the kinds of a {@link variants} apart. */
export function kind<Word extends string>(word: Word, description: string): TLiteral<Word> {
  return Type.Literal(word, { title: 'Kind', description, examples: [word] })
}

/** Several values of one kind. */
export function list<Item extends TSchema>(
  item: Item,
  notes: Notes & { minItems?: number; maxItems: number },
): TArray<Item> {
  return Type.Array(item, { ...notes })
}

/** An object with these keys and no others. */
export function group<Properties extends TProperties>(
  properties: Properties,
  notes: Notes,
): TObject<Properties> {
  return Type.Object(properties, { additionalProperties: false, ...notes })
}

/** An object with keys of the operator's choice. */
export function dictionary<Value extends TSchema>(
  value: Value,
  notes: Notes & { maxProperties: number },
): TRecord<string, Value> {
  return Type.Record(Type.String(), value, { ...notes })
}

/** A value that may be written in several ways, told apart by their JSON types. */
export function either<Types extends TSchema[]>(types: [...Types], notes: Notes): TUnion<Types> {
  return Type.Union(types, { ...notes })
}

/** Objects of several kinds, told apart by the word at `key`. */
export function variants<Types extends TSchema[]>(
  key: string,
  types: [...Types],
  notes: Notes,
): TUnion<Types> {
  return Type.Union(types, { discriminator: { propertyName: key }, ...notes })
}
