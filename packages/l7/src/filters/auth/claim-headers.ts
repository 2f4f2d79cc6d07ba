import { objectOption, textOption } from '@steelyard/core'
import { fieldNameOption } from '../field-option.ts'
import { fieldText } from './challenge.ts'
import type { Claims } from './claims.ts'

/** Headers and the claims that they tell. Throws `invalid-option`. */
export function claimHeaders(
  headers: Readonly<Record<string, string>>,
  path: string,
): readonly (readonly [header: string, claim: string])[] {
  return Object.entries(objectOption(headers, path)).map(
    ([header, claim]) =>
      [fieldNameOption(header, path), textOption(claim, `${path}.${header}`)] as const,
  )
}

/** A claim as a header tells it: lists of plain values with commas, objects as JSON; undefined when it cannot be told. */
export function claimText(claims: Claims, name: string): string | undefined {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return told(value)
  if (typeof value !== 'object') return told(JSON.stringify(value))
  const plain = Array.isArray(value) && value.every((one) => typeof one !== 'object')
  return told(plain ? value.join(',') : JSON.stringify(value))
}

function told(text: string): string | undefined {
  return text.length > 4096 ? undefined : fieldText(text)
}
