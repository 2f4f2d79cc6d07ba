import { invalidOption, shown, textOption } from '@steelyard/core'
import { logText } from './escaped-text.ts'
import type { LogLine } from './log-line.ts'
import { type LogReader, type LogValue, logVariable } from './log-variable.ts'
import { thousandthsText } from './number-text.ts'

interface Slot {
  readonly read: LogReader
  /** Characters that would end the field too early. */
  readonly delimiters: string
}

/**
 * Makes lines of a template, such as `%{client} "%{request}" %{status} %{ms.total}`. `%%` is a percent sign; what a
 * variable does not stand for is `-`.
 *
 * A client cannot forge a field: `"`, `\`, and all that is no printable ASCII are `\xHH`, so is a space where the variable
 * does not stand between quotes, and so is the punctuation right behind the variable in the template, which ends its
 * field.
 *
 * Variables: see {@link logVariableNames}.
 *
 * @throws `invalid-option` for unknown variables and control characters.
 */
export function templateLine(text: string, path = 'format'): LogLine {
  const pieces = piecesOf(text, path)
  return (record, x) => {
    let line = ''
    for (const piece of pieces) {
      line += typeof piece === 'string' ? piece : slotText(piece.read(record, x), piece.delimiters)
    }
    return line
  }
}

function slotText(value: LogValue, delimiters: string): string {
  if (value === undefined || value === '') return '-'
  if (typeof value === 'string') return logText(value, delimiters)
  if (typeof value === 'number') return thousandthsText(value)
  if (typeof value === 'boolean') return String(value)
  return logText(value.join(','), delimiters)
}

function piecesOf(text: string, path: string): readonly (string | Slot)[] {
  textOption(text, path)
  if (/[^\t -~]/.test(text)) {
    throw invalidOption(path, `${shown(text)} has characters that are no printable ASCII`)
  }
  const pieces: (string | Slot)[] = []
  let literal = ''
  let quoted = false
  for (let at = 0; at < text.length; ) {
    const percent = text.indexOf('%', at)
    const next = percent < 0 ? undefined : text[percent + 1]
    const plain = text.slice(
      at,
      percent < 0 ? text.length : next === '{' || next === '%' ? percent : percent + 1,
    )
    for (const char of plain) if (char === '"') quoted = !quoted
    literal += plain
    if (next === '%') {
      literal += '%'
      at = percent + 2
    } else if (next === '{') {
      const close = text.indexOf('}', percent)
      if (close < 0) {
        throw invalidOption(path, `${shown(text)} has %{ without }: write %%{ for itself`)
      }
      if (literal !== '') pieces.push(literal)
      literal = ''
      pieces.push({
        read: logVariable(text.slice(percent + 2, close), path),
        delimiters: (quoted ? '' : ' ') + endOf(text[close + 1]),
      })
      at = close + 1
    } else {
      at += plain.length
    }
  }
  if (literal !== '') pieces.push(literal)
  if (!pieces.some((piece) => typeof piece !== 'string')) {
    throw invalidOption(
      path,
      `${shown(text)} has no variable: write json, common, combined, haproxy, or a text with %{…}`,
    )
  }
  return pieces
}

/** Letters and digits end no field, and `"` and `\` are encoded in any case. */
function endOf(next: string | undefined): string {
  return next === undefined || /[0-9A-Za-z"\\]/.test(next) ? '' : next
}
