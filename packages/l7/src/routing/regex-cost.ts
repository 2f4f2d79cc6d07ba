import { type CharSet, inputEnd } from './char-set.ts'
import type { RegexNode } from './regex-tree.ts'

/** What comes behind a part of a pattern. */
interface Follow {
  /** What may be read next; {@link inputEnd} where the text has to end. */
  readonly first: CharSet
  /** Nothing can fail any more. */
  readonly sure: boolean
}

/** What a backtracking engine may have to do for a part of a pattern, from one place in the text. */
interface Cost {
  /** In how many ways it may match there; an unbounded repetition with an open end not counted. */
  readonly ways: number
  /** The longest text that it may read before it fails. */
  readonly length: number
  /** It has an unbounded repetition whose end the next character does not tell: `.*` in `.*x`. */
  readonly open: boolean
}

/** Tries at one place of the text that are still cheap. */
const mostTries = 256
const hopeless: Cost = { ways: Infinity, length: Infinity, open: true }

/**
 * Is a backtracking engine done in time proportional to the text, whatever the text? True only where it is certain.
 *
 * Wherever the engine has a choice, to go on with a repetition or to leave it, or which alternative to take, the next
 * character must decide it, so that a way that was left is never taken up again for long. Choices that are not decided
 * so are counted, and multiplied; they may add up to {@link mostTries} tries at one place. In a pattern that is bound
 * to the text's start there may in addition be one repetition of any length with an open end, because what follows it
 * is then tried at each place at most. In all others, which are tried at each place themselves, nothing may be read to
 * an unbounded length before it fails.
 */
export function isCheap(node: RegexNode): boolean {
  const bound = startsAtStart(node)
  const { ways, length, open } = costOf(node, { first: 0n, sure: true })
  if (bound) return ways <= mostTries
  return !open && ways * Math.max(1, length) <= mostTries
}

/** Does every match begin at the text's start? */
function startsAtStart(node: RegexNode): boolean {
  switch (node.kind) {
    case 'start':
      return true
    case 'sequence':
      return node.items.length > 0 && startsAtStart(node.items[0]!)
    case 'choice':
      return node.items.every((item) => startsAtStart(item))
    case 'group':
      return startsAtStart(node.item)
    default:
      return false
  }
}

function costOf(node: RegexNode, follow: Follow): Cost {
  switch (node.kind) {
    case 'char':
      return { ways: 1, length: 1, open: false }
    case 'start':
    case 'end':
      return { ways: 1, length: 0, open: false }
    case 'group':
      return costOf(node.item, follow)
    case 'sequence':
      return costOfSequence(node.items, follow)
    case 'choice':
      return costOfChoice(node.items, follow)
    case 'repeat':
      return costOfRepeat(node, follow)
    default:
      return node satisfies never
  }
}

function costOfSequence(items: readonly RegexNode[], follow: Follow): Cost {
  let next = follow
  let ways = 1
  let length = 0
  let open = false
  for (const item of items.toReversed()) {
    const cost = costOf(item, next)
    // What follows an open end is tried at each place: it must be short, and not open itself.
    if (cost.open && (open || ways * Math.max(1, length) > mostTries)) return hopeless
    ways = cost.open ? cost.ways * ways * Math.max(1, length) : cost.ways * ways
    length += cost.length
    open ||= cost.open
    next = before(item, next)
  }
  return ways > mostTries ? hopeless : { ways, length, open }
}

function costOfChoice(items: readonly RegexNode[], follow: Follow): Cost {
  const costs = items.map((item) => costOf(item, follow))
  let seen = 0n
  let disjoint = true
  for (const item of items) {
    const { first } = before(item, follow)
    if ((seen & first) !== 0n || canBeEmpty(item)) disjoint = false
    seen |= first
  }
  const ways = costs.map((cost) => cost.ways)
  const open = costs.some((cost) => cost.open)
  if (open && !disjoint) return hopeless
  return {
    ways: disjoint ? Math.max(...ways) : ways.reduce((sum, one) => sum + one, 0),
    length: Math.max(...costs.map((cost) => cost.length)),
    open,
  }
}

function costOfRepeat(node: RegexNode & { kind: 'repeat' }, follow: Follow): Cost {
  const { item, least, most } = node
  const { first } = before(item, { first: 0n, sure: false })
  // What fails in one round is tried anew in the next: nothing within is sure, even if what follows is.
  const inner = costOf(item, { first: first | follow.first, sure: false })
  if (inner.open || canBeEmpty(item)) return hopeless
  const unbounded = most === Infinity
  if (follow.sure) {
    // It may be left after any round, for good. What remains to fail is the part that has to be there.
    if (inner.ways > 1) {
      const rounds = unbounded ? inner.length : most
      if (inner.ways * rounds > mostTries) return hopeless
    }
    return bounded(
      inner.ways ** Math.max(1, least),
      inner.length === Infinity ? Infinity : least * inner.length,
    )
  }
  const decided = (first & follow.first) === 0n
  if (unbounded) {
    if (inner.ways > 1) return hopeless
    if (decided) return { ways: 1, length: Infinity, open: false }
    return inner.length === Infinity ? hopeless : { ways: 1, length: Infinity, open: true }
  }
  const ends = decided ? 1 : most - least + 1
  return bounded(ends * inner.ways ** most, most * inner.length)
}

function bounded(ways: number, length: number): Cost {
  return ways > mostTries ? hopeless : { ways, length, open: false }
}

/** What comes next in front of a part, seen from the one before it. */
function before(node: RegexNode, follow: Follow): Follow {
  switch (node.kind) {
    case 'char':
      return { first: node.set, sure: false }
    case 'start':
      return { first: follow.first, sure: false }
    case 'end':
      return { first: inputEnd, sure: false }
    case 'group':
      return before(node.item, follow)
    case 'sequence':
      return node.items.reduceRight((next, item) => before(item, next), follow)
    case 'choice': {
      const all = node.items.map((item) => before(item, follow))
      return {
        first: all.reduce((set, { first }) => set | first, 0n),
        sure: all.some(({ sure }) => sure),
      }
    }
    case 'repeat': {
      const inner = before(node.item, follow)
      if (node.most === 0) return follow
      return node.least > 0
        ? inner
        : { first: inner.first | follow.first, sure: inner.sure || follow.sure }
    }
    default:
      return node satisfies never
  }
}

function canBeEmpty(node: RegexNode): boolean {
  switch (node.kind) {
    case 'char':
      return false
    case 'start':
    case 'end':
      return true
    case 'group':
      return canBeEmpty(node.item)
    case 'sequence':
      return node.items.every((item) => canBeEmpty(item))
    case 'choice':
      return node.items.some((item) => canBeEmpty(item))
    case 'repeat':
      return node.least === 0 || canBeEmpty(node.item)
    default:
      return node satisfies never
  }
}

/** Is a group captured in something that repeats? Engines differ about what it then holds. */
export function capturesRepeatedly(node: RegexNode, repeats = false): boolean {
  switch (node.kind) {
    case 'group':
      return (node.captures && repeats) || capturesRepeatedly(node.item, repeats)
    case 'sequence':
    case 'choice':
      return node.items.some((item) => capturesRepeatedly(item, repeats))
    case 'repeat':
      return capturesRepeatedly(node.item, repeats || node.most > 1)
    default:
      return false
  }
}
