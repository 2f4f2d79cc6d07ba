import { invalidOption, listOption, objectOption } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { FieldEditor } from '../exchange/field-editor.ts'
import { fieldNameOption } from '../filters/field-option.ts'
import type { FieldChanges } from './action.ts'
import { oneOrMore } from './one-or-more.ts'
import { type CompiledTemplate, template } from './template.ts'

/**
 * Compiles changes of header fields: first those to remove, then those to set, then those to add. An empty value is
 * set as it is.
 *
 * @throws `invalid-option` for unknown variables, and for fields that frame the message or name the host, which are the
 *   proxy's own: use `rewrite.host` for that.
 */
export function fieldChanges(
  changes: FieldChanges,
  path = 'fields',
): (editor: FieldEditor, x: Exchange) => void {
  const { set = {}, add = {}, remove = [] } = objectOption(changes, path)
  const removed = listOption(remove, `${path}.remove`).map((name, index) =>
    nameOption(name, `${path}.remove[${index}]`),
  )
  const replaced = valuesOf(set, `${path}.set`)
  const added = valuesOf(add, `${path}.add`)
  return (editor, x) => {
    for (const name of removed) editor.remove(name)
    for (const [name, value] of replaced) editor.set(name, value(x))
    for (const [name, value] of added) editor.add(name, value(x))
  }
}

function valuesOf(
  fields: NonNullable<FieldChanges['add']>,
  path: string,
): readonly (readonly [string, CompiledTemplate])[] {
  return Object.entries(objectOption(fields, path)).flatMap(([name, value]) => {
    nameOption(name, `${path}.${name}`)
    return oneOrMore(value).map((one) => [name, template(one, `${path}.${name}`)] as const)
  })
}

function nameOption(name: string, path: string): string {
  switch (typeof name === 'string' ? name.toLowerCase() : '') {
    case 'host':
      throw invalidOption(path, 'Host is not changed as a field: use rewrite.host')
    case 'http2-settings':
      throw invalidOption(path, 'HTTP2-Settings is not ours to send')
    default:
      return fieldNameOption(name, path)
  }
}
