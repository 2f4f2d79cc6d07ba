import type { FieldEditor } from '../exchange/field-editor.ts'

/**
 * Removes a field by which we tell a backend something that it believes, whoever sent it: also under names that
 * servers behind CGI and its heirs cannot tell from it, such as `X_User`, `X.User` and `X--User`.
 */
export function removeLookalikes(head: FieldEditor, name: string): void {
  head.remove(name)
  const wanted = plainName(name)
  let found: string[] | undefined
  for (const [line] of head) {
    if (line.length >= wanted.length && plainName(line) === wanted) (found ??= []).push(line)
  }
  if (found !== undefined) for (const line of found) head.remove(line)
}

/** In lower case, with one hyphen for whatever separates. */
function plainName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
}
