import { widthOf } from './table.ts'

/** How large a terminal is. */
export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** A page that is drawn again and again in place; disposing leaves the last one standing below the prompt. */
export interface Screen extends Disposable {
  draw(page: string): void
}

const esc = '\u001b'

/**
 * Takes over a terminal. Pages are cut to its size as it is at the moment, so that nothing wraps or
 * scrolls, and each line is overwritten, so that nothing flickers.
 */
export function screen(write: (text: string) => void, size: () => TerminalSize): Screen {
  write(`${esc}[?25l${esc}[2J`)
  return {
    draw(page) {
      const { columns, rows } = size()
      const lines = page.replace(/\n$/, '').split('\n')
      const shown = lines.length > rows ? rows - 1 : lines.length
      const fitting = lines.slice(0, shown).map((line) => `${clip(line, columns)}${esc}[K`)
      const more = lines.length - shown
      if (more > 0) fitting.push(`${esc}[2m… ${more} more lines${esc}[0m${esc}[K`)
      write(`${esc}[H${fitting.join('\n')}${esc}[J`)
    },
    [Symbol.dispose]() {
      write(`${esc}[?25h\n`)
    },
  }
}

/** At most so many columns of a line; colour codes take none, and are ended where the line is cut. */
export function clip(line: string, columns: number): string {
  if (widthOf(line) <= columns) return line
  let width = 0
  let text = ''
  for (const piece of line.match(/\u001b\[[\d;?]*[A-Za-z]|[\s\S]/gu) ?? []) {
    if (piece.startsWith(esc)) text += piece
    else if (width === columns - 1) return `${text}…${text.includes(esc) ? `${esc}[0m` : ''}`
    else {
      width += 1
      text += piece
    }
  }
  return text
}
