import type { FieldEditor } from '../exchange/field-editor.ts'

/** Adds a field's name to Vary (RFC 9110 section 12.5.5), in one line with what is there; once, and not beside `*`. */
export function addVary(head: FieldEditor, name: string): void {
  const names = head
    .all('vary')
    .flatMap((line) => line.split(','))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const lower = name.toLowerCase()
  if (names.some((entry) => entry === '*' || entry.toLowerCase() === lower)) return
  head.set('vary', [...names, name].join(', '))
}
