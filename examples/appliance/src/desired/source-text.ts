import { type Excerpt, type Finding, type Span, severityOf } from './finding.ts'
import type { FindingCode } from './finding-codes.ts'
import { formatPath, type Path } from './path.ts'

/** A document's text, with line numbers. */
export interface SourceText {
  readonly file: string
  readonly text: string
  /** Line and column, both from 1; the column counts characters, not UTF-16 units. */
  position(offset: number): { readonly line: number; readonly column: number }
  /** One line, from 1, without its line break. */
  line(number: number): string
  /** Makes a finding about a stretch of the text. */
  finding(code: FindingCode, span: Span, path: Path, message: string, hint: string): Finding
}

const longestText = 80
const longestMessage = 400

/** Makes a {@link SourceText}. */
export function sourceText(file: string, text: string): SourceText {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  const lineAt = (offset: number): number => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
  const line = (number: number): string => {
    const end = starts[number] === undefined ? text.length : starts[number] - 1
    return text.slice(starts[number - 1] ?? text.length, end).replace(/\r$/, '')
  }
  return {
    file,
    text,
    line,
    position(offset) {
      const index = lineAt(offset)
      return { line: index + 1, column: [...text.slice(starts[index], offset)].length + 1 }
    },
    finding(code, span, path, message, hint) {
      const start = Math.max(0, Math.min(span.start, text.length))
      const end = Math.max(start, Math.min(span.end, text.length))
      const index = lineAt(start)
      const lineText = line(index + 1)
      const within = start - (starts[index] ?? 0)
      const atFault = lineText.slice(within, within + end - start).trimEnd()
      return {
        severity: severityOf(code),
        code,
        file,
        line: index + 1,
        column: [...lineText.slice(0, within)].length + 1,
        path: formatPath(path),
        text: shorten(atFault, longestText),
        message: shorten(message, longestMessage),
        hint: shorten(hint, longestMessage),
        span: { start, end },
        excerpt: excerptOf(lineText, within, atFault),
      }
    },
  }
}

/** Of a long line, what stands around the place. */
function excerptOf(line: string, within: number, atFault: string): Excerpt {
  const before = [...line.slice(0, within)]
  const behind = [...line.slice(within)]
  const cut = Math.max(0, before.length - longestText)
  const text = [...before.slice(cut), ...behind.slice(0, 2 * longestText - (before.length - cut))]
  const room = text.length - (before.length - cut)
  const length = Math.max(1, Math.min([...atFault].length, room))
  return { text: text.join(''), from: before.length - cut, length }
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`
}
