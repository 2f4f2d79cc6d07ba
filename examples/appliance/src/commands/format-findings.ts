import { colours } from '../cli/colours.ts'
import type { Finding } from '../desired/finding.ts'

/**
 * Findings as a good compiler prints them: place, code, message, the line with the fault underlined, and
 * what to do. No line break at the end.
 */
export function formatFindings(
  findings: readonly Finding[],
  options: { readonly colour?: boolean } = {},
): string {
  return findings.map((finding) => formatFinding(finding, options.colour ?? false)).join('\n\n')
}

/** `2 errors, 1 warning`. */
export function countFindings(findings: readonly Finding[]): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const warnings = findings.length - errors
  const parts = [counted(errors, 'error'), counted(warnings, 'warning')].filter(
    (part) => part !== '',
  )
  return parts.length === 0 ? 'no findings' : parts.join(', ')
}

function counted(count: number, noun: string): string {
  if (count === 0) return ''
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function formatFinding(finding: Finding, colour: boolean): string {
  const paint = colours(colour)
  const mark = finding.severity === 'error' ? paint.bad : paint.warn
  const { file, line, column, severity, code, message, hint, excerpt } = finding
  const number = String(line)
  const margin = ' '.repeat(number.length)
  const place = paint.bold(`${harmless(file)}:${line}:${column}:`)
  const lines = [`${place} ${mark(`${severity}[${code}]`)} ${paint.bold(harmless(message))}`]
  if (excerpt.text !== '') {
    const bar = paint.dim('|')
    lines.push(
      `${margin} ${bar}`,
      `${paint.dim(number)} ${bar} ${harmless(excerpt.text)}`,
      `${margin} ${bar} ${' '.repeat(excerpt.from)}${mark('^'.repeat(excerpt.length))}`,
    )
  }
  if (hint !== '') lines.push(`${margin} ${paint.dim('=')} hint: ${harmless(hint)}`)
  return lines.join('\n')
}

/** A document may come from anywhere: nothing in it may move the cursor, change colours or turn the text about. */
function harmless(text: string): string {
  return text
    .replaceAll('\t', ' ')
    .replaceAll(
      /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
      '\ufffd',
    )
}
