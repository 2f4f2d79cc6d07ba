import { effectOf, type FindingCode } from './finding-codes.ts'

/** `error` keeps something from being applied; `warning` is advice. */
export type Severity = 'error' | 'warning'

/** A stretch of the document's text. */
export interface Span {
  /** Offset in UTF-16 units. */
  readonly start: number
  /** One behind the last. */
  readonly end: number
}

/** Something about the document that its author should know. */
export interface Finding {
  readonly severity: Severity
  readonly code: FindingCode
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1, in characters. */
  readonly column: number
  /** Where in the document: `loadBalancers[0].listeners[1].port`; empty for the document itself. */
  readonly path: string
  /** The text at fault, one line of it at most. */
  readonly text: string
  readonly message: string
  /** What to do about it. */
  readonly hint: string
  readonly span: Span
  /** The line in the document, or the part of a long one that matters, with the place in it. */
  readonly excerpt: Excerpt
}

/** A line of the document, for people. */
export interface Excerpt {
  readonly text: string
  /** Characters of `text` before the place. */
  readonly from: number
  /** Characters of the place; at least 1. */
  readonly length: number
}

/** The severity that a code has. */
export function severityOf(code: FindingCode): Severity {
  return effectOf(code) === 'none' ? 'warning' : 'error'
}

/** Sorts findings by position and drops repetitions, such as those that one anchor brings by several aliases. */
export function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const sorted = [...findings].sort(
    (a, b) =>
      a.span.start - b.span.start ||
      a.span.end - b.span.end ||
      (a.code < b.code ? -1 : a.code > b.code ? 1 : 0),
  )
  const seen = new Set<string>()
  return sorted.filter(({ span, code, message }) => {
    const key = `${span.start} ${span.end} ${code} ${message}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}
