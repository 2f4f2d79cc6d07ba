import type { Finding, Span } from './finding.ts'
import { effectOf, type FindingCode } from './finding-codes.ts'
import type { Path } from './path.ts'
import { formatPath } from './path.ts'
import type { DocumentDraft } from './schema.ts'
import type { SourceText } from './source-text.ts'
import { entryOf, nodeAt, type Tree } from './tree.ts'

/** The kinds of objects that can be left out. */
export type ObjectKind = 'address-pool' | 'load-balancer' | 'listener' | 'rule' | 'pool' | 'member'

/** An object of the document. */
export interface DocumentObject {
  readonly kind: ObjectKind
  /** `cache`, `cache/redis`, `web/https/api`, `redis/10.0.0.1:80`. */
  readonly name: string
  readonly path: Path
}

/** An object that is left out, while the rest is applied. */
export interface Quarantined {
  readonly kind: ObjectKind
  readonly name: string
  /** Its place in the document. */
  readonly path: string
  readonly line: number
  /** The finding's code; that of the cause when another object is to blame. */
  readonly code: FindingCode
  /** One sentence. */
  readonly reason: string
  /** An earlier form of it runs on untouched. */
  readonly kept: boolean
}

/** What is being found out about a document's references and conflicts. */
export interface Inspection {
  readonly source: SourceText
  readonly tree: Tree
  readonly draft: DocumentDraft
  readonly findings: readonly Finding[]
  readonly leftOut: readonly Quarantined[]
  /** Adds a finding; by its code the object is left out, or the document refused, or neither. */
  report(
    code: FindingCode,
    object: DocumentObject | undefined,
    place: Path,
    message: string,
    hint: string,
  ): void
  /** Leaves an object out because of another one that is; that one has the finding. */
  follow(object: DocumentObject, cause: DocumentObject): void
  isLeftOut(path: Path): boolean
  /** Did the author write this key? Defaults do not count. */
  isWritten(path: Path, key: string): boolean
  /** Where a place of the document stands in the text; of an object its name. */
  spanOf(place: Path): Span
}

/** Begins an inspection. */
export function inspection(source: SourceText, tree: Tree, draft: DocumentDraft): Inspection {
  const findings: Finding[] = []
  const leftOut = new Map<string, Quarantined>()
  const leave = (object: DocumentObject, code: FindingCode, reason: string): void => {
    const path = formatPath(object.path)
    if (leftOut.has(path)) return
    const { line } = source.position(nodeAt(tree, object.path).span.start)
    leftOut.set(path, {
      kind: object.kind,
      name: object.name,
      path,
      line,
      code,
      reason,
      kept: false,
    })
  }
  return {
    source,
    tree,
    draft,
    findings,
    get leftOut() {
      return [...leftOut.values()]
    },
    report(code, object, place, message, hint) {
      findings.push(source.finding(code, spanAt(tree, place), place, message, hint))
      if (object !== undefined && effectOf(code) === 'quarantine') leave(object, code, message)
    },
    follow(object, cause) {
      const because = leftOut.get(formatPath(cause.path))
      const kind = cause.kind.replace('-', ' ')
      const code = because?.code ?? 'unknown-pool'
      leave(object, code, `its ${kind} "${cause.name}" is left out: ${because?.reason ?? ''}`)
    },
    isLeftOut: (path) => leftOut.has(formatPath(path)),
    isWritten: (path, key) => entryOf(nodeAt(tree, path), key) !== undefined,
    spanOf: (place) => spanAt(tree, place),
  }
}

/** Of an object, its first key is enough to find it; of a value, the whole. */
function spanAt(tree: Tree, place: Path): Span {
  const node = nodeAt(tree, place)
  const last = place.at(-1)
  if (typeof last === 'string' && node.kind !== 'scalar') {
    const entry = entryOf(nodeAt(tree, place.slice(0, -1)), last)
    if (entry !== undefined) return entry.keySpan
  }
  if (node.kind !== 'map') return node.span
  return (entryOf(node, 'name') ?? node.entries[0])?.value.span ?? node.span
}
