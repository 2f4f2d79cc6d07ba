import { stripVTControlCharacters } from 'node:util'

/** One column: its heading, and `right` for numbers. */
export interface Column {
  readonly heading: string
  readonly align?: 'left' | 'right'
}

/** Lines of a table with two spaces between columns and none at the end; colour codes take no width. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  indent = '',
): string[] {
  const cells = [columns.map(({ heading }) => heading), ...rows]
  const widths = columns.map((_, index) =>
    Math.max(...cells.map((row) => widthOf(row[index] ?? ''))),
  )
  return cells.map((row) => {
    const line = columns.map(({ align }, index) => {
      const text = row[index] ?? ''
      const space = ' '.repeat(widths[index]! - widthOf(text))
      return align === 'right' ? space + text : text + space
    })
    return (indent + line.join('  ')).trimEnd()
  })
}

/** The columns that a text takes on a terminal; colour codes take none. */
export function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length
}
