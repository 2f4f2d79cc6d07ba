import type {
  Static,
  TArray,
  TObject,
  TOptional,
  TProperties,
  TRecord,
  TSchema,
  TUnion,
  TUnsafe,
} from 'typebox'

declare const meaning: unique symbol
declare const preset: unique symbol

/** A text with a form of its own, such as a duration: how it is written, and what it means once read. */
export interface TMeaning<Written, Meant> extends TUnsafe<Written> {
  readonly [meaning]: Meant
}

/** A field that may be left out and then has its default. */
export type TPreset<Type extends TSchema> = TOptional<Type> & { readonly [preset]: true }

/** What a value of a schema means: durations in milliseconds, sizes in bytes, defaults filled in. */
export type Meant<Type> = Type extends { readonly [meaning]: infer Value }
  ? Value
  : Type extends TObject<infer Properties>
    ? MeantObject<Properties>
    : Type extends TArray<infer Item>
      ? readonly Meant<Item>[]
      : Type extends TUnion<infer Types>
        ? { [Index in keyof Types]: Meant<Types[Index]> }[number]
        : Type extends TRecord<string, infer Value>
          ? Readonly<Record<string, Meant<Value>>>
          : Type extends TSchema
            ? Static<Type>
            : never

type AbsentKeys<Properties extends TProperties> = {
  [Key in keyof Properties]: Properties[Key] extends { readonly [preset]: true }
    ? never
    : Properties[Key] extends { '~optional': true }
      ? Key
      : never
}[keyof Properties]

type MeantObject<Properties extends TProperties> = {
  readonly [Key in Exclude<keyof Properties, AbsentKeys<Properties>>]: Meant<Properties[Key]>
} & { readonly [Key in AbsentKeys<Properties>]?: Meant<Properties[Key]> }
