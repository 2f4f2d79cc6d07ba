import { nearestName } from '@steelyard/core'
import type { Finding, Span } from './finding.ts'
import type { FindingCode } from './finding-codes.ts'
import { type JsonSchema, typesOf } from './json-schema.ts'
import type { Path } from './path.ts'
import type { SourceText } from './source-text.ts'
import { adviceFor } from './synonyms.ts'
import type { ScalarTree, Tree } from './tree.ts'
import { lowerCase, quoted, titleOf, typeHint, typeName, typeOf } from './wording.ts'

const mostFindings = 1000

/** What validation has to complain of, put into words. */
export class Complaints {
  readonly findings: Finding[] = []
  /** Enough was said: nothing more is added. */
  exhausted = false
  readonly #source: SourceText

  constructor(source: SourceText) {
    this.#source = source
  }

  /** Adds a finding, until there are too many. */
  add(code: FindingCode, span: Span, path: Path, message: string, hint: string): void {
    if (this.exhausted) return
    if (this.findings.length < mostFindings) {
      this.findings.push(this.#source.finding(code, span, path, message, hint))
      return
    }
    this.exhausted = true
    this.findings.push(
      this.#source.finding(
        'too-many-findings',
        span,
        path,
        `there are more than ${mostFindings} findings`,
        'mend these first',
      ),
    )
  }

  /** A text beyond its bound. */
  tooLong(schema: JsonSchema, tree: ScalarTree, most: number, path: Path): void {
    this.add(
      'out-of-range',
      tree.span,
      path,
      `${titleOf(schema)} has more than ${most} characters`,
      'write less',
    )
  }

  /** A key that does not exist, with what was meant. */
  unknownKey(
    schema: JsonSchema,
    key: string,
    span: Span,
    path: Path,
    names: readonly string[],
  ): void {
    const guess = adviceFor(key) === undefined ? nearestName(key, names) : undefined
    const listed = names.length > 12 ? `${names.slice(0, 12).join(', ')}, …` : names.join(', ')
    this.add(
      'unknown-key',
      span,
      [...path, key],
      `unknown key "${key}" in ${titleOf(schema)}`,
      adviceFor(key) ??
        (guess === undefined ? `the keys here are ${listed}` : `did you mean "${guess}"?`),
    )
  }

  /** A key that must be there. */
  missing(schema: JsonSchema, key: string, tree: Tree, path: Path, hint: string): void {
    this.add('missing-key', headOf(tree), [...path, key], `${titleOf(schema)} needs "${key}"`, hint)
  }

  /** A word that is none of those allowed. */
  unknownWord(tree: Tree, path: Path, words: readonly string[], title: string): void {
    const guess = tree.kind === 'scalar' ? nearestName(String(tree.value), words) : undefined
    this.add(
      'unknown-value',
      tree.span,
      path,
      `${quoted(tree)} is no ${lowerCase(title)}`,
      guess === undefined ? `write one of ${words.join(', ')}` : `did you mean "${guess}"?`,
    )
  }

  /** A value of another JSON type. */
  wrongType(schema: JsonSchema, tree: Tree, path: Path): void {
    const wanted = typesOf(schema)
    const title = titleOf(schema)
    if (typeOf(tree) === 'null') {
      this.add(
        'wrong-type',
        tree.span,
        path,
        `${title} has no value`,
        `write one, such as ${JSON.stringify(schema.examples?.[0])}, or remove the key`,
      )
      return
    }
    const message = `${title} must be ${wanted.map(typeName).join(' or ')}, not ${quoted(tree)}`
    this.add('wrong-type', tree.span, path, message, typeHint(schema, tree, wanted))
  }
}

/** The beginning of a node: the first key of an object says where it is better than all of it. */
function headOf(tree: Tree): Span {
  return tree.kind === 'map' ? (tree.entries[0]?.keySpan ?? tree.span) : tree.span
}
