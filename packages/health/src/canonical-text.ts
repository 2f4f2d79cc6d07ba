import { createHash } from 'node:crypto'
import { types } from 'node:util'

/**
 * One text for each configuration, whatever the order of its fields: two checks with the same text ask
 * the same. Long values, certificates for instance, and secrets with them, go in by their hash.
 */
export function canonicalText(value: unknown): string {
  if (ArrayBuffer.isView(value)) return digest(value as Uint8Array)
  if (types.isRegExp(value)) return `regexp ${String(value)}`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string' && value.length > 128) return digest(value)
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'none'
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalText(field)}`).join(',')}}`
}

function digest(value: string | Uint8Array): string {
  return `sha256 ${createHash('sha256').update(value).digest('hex')}`
}
