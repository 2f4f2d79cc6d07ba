import type { Span } from './finding.ts'

/**
 * A document as plain nodes with their place in the text: what validation walks over, whoever read the
 * text. An anchor's node may hang in several places.
 */
export type Tree = MapTree | ListTree | ScalarTree

/** A mapping. */
export interface MapTree {
  readonly kind: 'map'
  readonly span: Span
  readonly entries: readonly MapEntry[]
}

/** One key of a mapping, with its value; keys are unique in a mapping. */
export interface MapEntry {
  readonly key: string
  readonly keySpan: Span
  readonly value: Tree
}

/** A sequence. */
export interface ListTree {
  readonly kind: 'list'
  readonly span: Span
  readonly items: readonly Tree[]
}

/** A single value. */
export interface ScalarTree {
  readonly kind: 'scalar'
  readonly span: Span
  readonly value: string | number | boolean | null
}

const nowhere: Span = Object.freeze({ start: 0, end: 0 })

/** The value of a key, or `undefined` when the node is no mapping or has no such key. */
export function entryOf(tree: Tree | undefined, key: string): MapEntry | undefined {
  if (tree?.kind !== 'map') return undefined
  return tree.entries.find((entry) => entry.key === key)
}

/** The node at a path, or the nearest one above it that exists. */
export function nodeAt(tree: Tree, path: readonly (string | number)[]): Tree {
  let node = tree
  for (const step of path) {
    const next =
      typeof step === 'string'
        ? entryOf(node, step)?.value
        : node.kind === 'list'
          ? node.items[step]
          : undefined
    if (next === undefined) return node
    node = next
  }
  return node
}

/** A plain value, such as a default or a parsed JSON, as a tree without places. */
export function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return { kind: 'list', span: nowhere, items: value.map(treeOf) }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => ({ key, keySpan: nowhere, value: treeOf(item) }))
    return { kind: 'map', span: nowhere, entries }
  }
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'scalar', span: nowhere, value }
  }
  return { kind: 'scalar', span: nowhere, value: null }
}
