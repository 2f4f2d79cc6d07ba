import { type Alias, isAlias, isMap, isScalar, isSeq, Lexer, type Node, parseDocument } from 'yaml'
import type { Finding, Span } from './finding.ts'
import type { Path } from './path.ts'
import type { SourceText } from './source-text.ts'
import type { MapEntry, Tree } from './tree.ts'

/** How much a document may hold, so that no text makes us work or nest without end. */
const deepest = 48
const mostTokens = 600_000

/**
 * Reads YAML 1.2 (and so JSON) into a tree. Without a tree, the findings say why; duplicate keys leave
 * the first of the two in the tree.
 */
export function readYaml(source: SourceText): { tree?: Tree; findings: Finding[] } {
  const tooDeep = depthFinding(source)
  if (tooDeep !== undefined) return { findings: [tooDeep] }
  const document = parseDocument(source.text, {
    prettyErrors: false,
    // Looking a key up in all others takes too long in a hostile document; the reader below does it.
    uniqueKeys: false,
    stringKeys: true,
    resolveKnownTags: false,
    // At 'silent' it would not tell of a second document.
    logLevel: 'error',
    version: '1.2',
  })
  const findings: Finding[] = []
  const lines = new Set<number>()
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const finding = syntaxFinding(source, code, message, { start: pos[0], end: pos[1] })
    // What follows on the same line is mostly the same mistake once more.
    if (!lines.has(finding.line) && lines.size < 20) findings.push(finding)
    lines.add(finding.line)
  }
  const version = document.directives?.yaml.version
  if (version !== undefined && version !== '1.2') {
    findings.push(
      source.finding(
        'yaml-directive',
        { start: 0, end: source.line(1).length },
        [],
        `the document asks for YAML ${version}, in which words such as "yes" and "on" mean true`,
        'remove the %YAML line: the document is read as YAML 1.2',
      ),
    )
  }
  if (findings.length > 0) return { findings }
  if (
    document.contents === null ||
    (isScalar(document.contents) && document.contents.value === null)
  ) {
    return { findings: [emptyFinding(source)] }
  }
  const reader = treeReader(source, findings)
  const tree = reader(document.contents, [])
  // Where an alias means nothing, nothing can be said of the value either.
  const isWhole = findings.every(({ code }) => code === 'duplicate-key')
  return isWhole ? { tree, findings } : { findings }
}

/** The finding for a document with nothing in it. */
function emptyFinding(source: SourceText): Finding {
  return source.finding(
    'document-empty',
    { start: 0, end: 0 },
    [],
    'the document has no content',
    'begin with "version: 1", then write node, loadBalancers and pools',
  )
}

function treeReader(source: SourceText, findings: Finding[]): (node: unknown, path: Path) => Tree {
  const anchors = new Map<string, Tree | 'open'>()
  let isTooDeep = false

  const read = (item: unknown, path: Path, fallback: Span = { start: 0, end: 0 }): Tree => {
    const node = item as Node | null | undefined
    if (node === null || node === undefined) return { kind: 'scalar', span: fallback, value: null }
    const span = spanOf(node, fallback)
    if (path.length > deepest) {
      if (!isTooDeep) findings.push(tooDeepFinding(source, span, path))
      isTooDeep = true
      return { kind: 'scalar', span, value: null }
    }
    if (isAlias(node)) return alias(node, span, path)
    const anchor = 'anchor' in node ? (node.anchor as string | undefined) : undefined
    if (anchor !== undefined) anchors.set(anchor, 'open')
    const tree = content(node, span, path)
    if (anchor !== undefined) anchors.set(anchor, tree)
    return tree
  }

  const content = (node: Node, span: Span, path: Path): Tree => {
    if (isMap(node)) return { kind: 'map', span, entries: entries(node.items, path) }
    if (isSeq(node)) {
      const items = node.items.map((item, index) => read(item, [...path, index], span))
      return { kind: 'list', span, items }
    }
    const value: unknown = isScalar(node) ? node.value : null
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      return { kind: 'scalar', span, value }
    }
    return { kind: 'scalar', span, value: null }
  }

  const entries = (pairs: readonly { key: unknown; value: unknown }[], path: Path): MapEntry[] => {
    const result = new Map<string, MapEntry>()
    for (const pair of pairs) {
      const keyNode = read(pair.key, path)
      const key = keyNode.kind === 'scalar' ? String(keyNode.value ?? '') : ''
      const value = read(pair.value, [...path, key], keyNode.span)
      const first = result.get(key)
      if (first === undefined) {
        result.set(key, { key, keySpan: keyNode.span, value })
        continue
      }
      const { line } = source.position(first.keySpan.start)
      findings.push(
        source.finding(
          'duplicate-key',
          keyNode.span,
          [...path, key],
          `"${key}" stands here a second time; the first is on line ${line}`,
          'remove one of the two',
        ),
      )
    }
    return [...result.values()]
  }

  const alias = (node: Alias, span: Span, path: Path): Tree => {
    const tree = anchors.get(node.source)
    if (tree !== undefined && tree !== 'open') return tree
    findings.push(
      source.finding(
        'yaml-alias',
        span,
        path,
        tree === 'open'
          ? `the alias *${node.source} stands inside the value that it repeats`
          : `the alias *${node.source} has no anchor &${node.source} before it`,
        tree === 'open'
          ? 'write the value out'
          : `define it first, as in "key: &${node.source} value"`,
      ),
    )
    return { kind: 'scalar', span, value: null }
  }

  return read
}

function spanOf(node: Node, fallback: Span): Span {
  return node.range ? { start: node.range[0], end: node.range[1] } : fallback
}

/** Reading nests as deep as the document does, so the depth is counted on the tokens, before anything nests. */
function depthFinding(source: SourceText): Finding | undefined {
  let offset = 0
  let tokens = 0
  let flow = 0
  let inLine = 0
  for (const token of new Lexer().lex(source.text)) {
    tokens += 1
    if (token === '[' || token === '{') flow += 1
    else if (token === ']' || token === '}') flow = Math.max(0, flow - 1)
    else if (token === '-' || token === '?' || token === ':') inLine += 1
    else if (token === '\n' || token === '\r\n') inLine = 0
    else if (token === ',') inLine = 0
    if (flow > deepest || inLine > deepest || tokens > mostTokens) {
      const span = { start: offset, end: offset + 1 }
      if (tokens <= mostTokens) return tooDeepFinding(source, span, [])
      const message = `the document holds more than ${mostTokens} tokens`
      return source.finding('yaml-too-deep', span, [], message, 'split it over several nodes')
    }
    // These stand for something that has no text of its own.
    if (!/^[\u0002\u0018\u001f]$/.test(token)) offset += token.length
  }
  return undefined
}

function tooDeepFinding(source: SourceText, span: Span, path: Path): Finding {
  return source.finding(
    'yaml-too-deep',
    span,
    path.slice(0, 3),
    `values are nested more than ${deepest} deep`,
    'no object of the document needs more than ten levels: look for brackets that are not closed',
  )
}

function syntaxFinding(source: SourceText, code: string, message: string, span: Span): Finding {
  const found = (
    finding: Parameters<SourceText['finding']>[0],
    text: string,
    hint: string,
    at: Span = span,
  ): Finding => source.finding(finding, at, [], text, hint)
  switch (code) {
    case 'TAB_AS_INDENT':
      return found('yaml-tab', 'a tab indents this line', 'indent with spaces, two for each level')
    case 'MULTIPLE_DOCS':
      return found(
        'several-documents',
        'a second document begins here',
        'keep one document in a file: remove the "---" line and what follows',
        { start: span.start, end: Math.min(span.end, span.start + 3) },
      )
    case 'RESOURCE_EXHAUSTION':
      return tooDeepFinding(source, span, [])
    case 'TAG_RESOLVE_FAILED':
    case 'MULTIPLE_TAGS':
      return found('yaml-tag', 'values have no tags here', 'remove the word that begins with "!"')
    case 'BAD_ALIAS':
      return found('yaml-alias', sentence(message), 'write the value out')
    case 'DUPLICATE_KEY':
      return found('duplicate-key', 'a key stands twice', 'remove one of the two')
    default:
      return found(
        'yaml-syntax',
        sentence(message),
        endpointHint(source, span) ?? hints[code] ?? general,
      )
  }
}

const general =
  'look at the line and the one above; quote text that begins with one of [ ] { } , & * # ! | > @ % or holds ": "'

const hints: Readonly<Record<string, string>> = {
  BAD_INDENT:
    'give the keys of one object the same indentation, and close the bracket that was opened',
  MISSING_CHAR: 'close the quote or bracket, or put ":" behind the key',
  BAD_DQ_ESCAPE: 'write the text in single quotes, in which a backslash stands for itself',
  NON_STRING_KEY: 'write a plain word as the key',
  BLOCK_AS_IMPLICIT_KEY: 'put each key on its own line, with the same indentation',
}

/** `[::1]:80` is a list to YAML, and the most frequent way to be misunderstood here. */
function endpointHint(source: SourceText, span: Span): string | undefined {
  const line = source.line(source.position(span.start).line)
  const [endpoint] = /(?<!")\[[0-9a-f:.]*:[0-9a-f:.]*\]:\d+/i.exec(line) ?? []
  return endpoint === undefined ? undefined : `put it in quotes: "${endpoint}"`
}

function sentence(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1)
}
