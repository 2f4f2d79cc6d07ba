import { type Finding, inOrder } from './finding.ts'
import { readYaml } from './read-yaml.ts'
import { type DocumentDraft, documentSchema, type MeantDocument } from './schema.ts'
import { type SourceText, sourceText } from './source-text.ts'
import type { Tree } from './tree.ts'
import { validate } from './validate.ts'

/** What {@link parse} makes of a text. */
export interface Parsed {
  readonly source: SourceText
  /** The text as a tree with places; absent when it is not YAML. */
  readonly tree?: Tree
  /** What is valid of the document, for what can be said of it in spite of its errors. */
  readonly draft?: DocumentDraft
  /** The whole document, when its form has no errors. References and conflicts are not judged here. */
  readonly document?: MeantDocument
  /** All findings about text and form, in order of position, none twice. */
  readonly findings: readonly Finding[]
}

/** Bounds for {@link parse}. */
export interface ParseOptions {
  /** Bytes that a document may have. Default 1 MiB. */
  readonly maxBytes?: number
}

/**
 * Reads a document, YAML or JSON, and judges its text and form. Takes any bytes and never throws: what
 * is wrong becomes a finding.
 *
 * @param fileName - the name that findings carry; the file is not opened.
 */
export function parse(
  text: string | Uint8Array,
  fileName: string,
  options: ParseOptions = {},
): Parsed {
  const maxBytes = options.maxBytes ?? 1024 * 1024
  const { length } = text
  if (length > maxBytes) {
    const source = sourceText(fileName, '')
    const finding = source.finding(
      'document-too-large',
      { start: 0, end: 0 },
      [],
      `the document has ${length} bytes, and ${maxBytes} are allowed`,
      'split it over several nodes, or is this the right file?',
    )
    return { source, findings: [finding] }
  }
  const decoded = typeof text === 'string' ? { text } : decode(text)
  // A byte order mark is no part of the text, and would shift columns.
  const source = sourceText(fileName, decoded.text.replace(/^\ufeff/, ''))
  if (decoded.badAt !== undefined) {
    const finding = source.finding(
      'document-not-utf8',
      { start: decoded.badAt, end: decoded.badAt + 1 },
      [],
      'this is not UTF-8 text',
      'save the file as UTF-8, or is this the right file?',
    )
    return { source, findings: [finding] }
  }
  const { tree, findings } = readYaml(source)
  if (tree === undefined) return { source, findings: inOrder(findings) }
  const validation = validate(documentSchema, tree, source)
  const all = inOrder([...findings, ...validation.findings])
  return {
    source,
    tree,
    ...(validation.draft === undefined ? {} : { draft: validation.draft }),
    ...(all.length > 0 ? {} : { document: validation.draft as MeantDocument }),
    findings: all,
  }
}

function decode(bytes: Uint8Array): { text: string; badAt?: number } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    // Fatal decoding does not say where; the replacement character does, well enough to find the place.
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
    return { text, badAt: Math.max(0, text.indexOf('\ufffd')) }
  }
}
