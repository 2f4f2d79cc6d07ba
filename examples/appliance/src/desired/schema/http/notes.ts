import type { Notes } from '../field.ts'

/** What a field says of itself, in one line. */
export function notes(
  title: string,
  description: string,
  ...examples: readonly [unknown, ...unknown[]]
): Notes {
  return { title, description, examples }
}
