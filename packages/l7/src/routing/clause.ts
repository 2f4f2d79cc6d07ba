import { type HostPattern, parseHostPattern } from './host-pattern.ts'
import type { PathForm } from './path-pattern.ts'
import type { PredicateCompiler } from './predicate.ts'
import { portFits } from './predicate.ts'
import type { Match, Predicate } from './route.ts'

/** One way in which a route can match: a host, a path, and whatever else there is to ask. */
export interface Clause {
  /** Undefined for any. */
  readonly host: HostPattern | undefined
  readonly path: { readonly form: PathForm; readonly value: string } | undefined
  /** All of them must hold, besides host and path. In the order they were written. */
  readonly tests: readonly Predicate[]
  /** The conditions that it was made of, for `explain`. */
  readonly parts: readonly Match[]
  readonly weights: ClauseWeights
}

/** How many tests of a kind there are, for Gateway API precedence. */
interface ClauseWeights {
  readonly path: number
  readonly method: number
  readonly header: number
  readonly query: number
}

const noWeights: ClauseWeights = { path: 0, method: 0, header: 0, query: 0 }
const everything: Clause = {
  host: undefined,
  path: undefined,
  tests: [],
  parts: [],
  weights: noWeights,
}

/** Ways to match that two lists of alternatives may multiply to; beyond, the second is asked as one. */
const mostProducts = 1024

/**
 * Takes a condition apart into clauses of which at least one holds where the condition does.
 *
 * @param ranked - clauses are compared by their parts, so that alternatives without host and path are taken apart too.
 */
export function clausesOf(match: Match, compiler: PredicateCompiler, ranked: boolean): Clause[] {
  if (typeof match === 'function') return [opaque(match, compiler)]
  switch (match.kind) {
    case 'always':
      return [{ ...everything, parts: [match] }]
    case 'host':
      return match.names.map((name) => {
        const pattern = parseHostPattern(name, 'host')
        const { port } = pattern
        return {
          ...everything,
          host: pattern.name === '' ? undefined : pattern,
          tests: port === 0 ? [] : [(request) => portFits(port, request)],
          parts: [{ ...match, names: [name] }],
        }
      })
    case 'path':
      return match.values.map((value) => ({
        ...everything,
        path: { form: match.form, value },
        parts: [{ ...match, values: [value] }],
      }))
    case 'test': {
      const { weight } = match
      const clause = opaque(match, compiler)
      return [weight === undefined ? clause : { ...clause, weights: { ...noWeights, [weight]: 1 } }]
    }
    case 'not':
      return [opaque(match, compiler)]
    case 'all': {
      let clauses: Clause[] = [everything]
      for (const part of match.of) {
        const more = clausesOf(part, compiler, ranked)
        const product = clauses.length * more.length
        const tooMany = clauses.length > 1 && more.length > 1 && product > mostProducts
        clauses = both(clauses, tooMany ? [opaque(part, compiler)] : more, compiler)
      }
      return clauses
    }
    case 'any': {
      const clauses = match.of.flatMap((part) => clausesOf(part, compiler, ranked))
      const indexed = clauses.some(({ host, path }) => host !== undefined || path !== undefined)
      return indexed || ranked ? clauses : [opaque(match, compiler)]
    }
    default:
      return match satisfies never
  }
}

function opaque(match: Match, compiler: PredicateCompiler): Clause {
  return { ...everything, tests: [compiler.of(match)], parts: [match] }
}

function both(
  some: readonly Clause[],
  more: readonly Clause[],
  compiler: PredicateCompiler,
): Clause[] {
  return some.flatMap((one) => more.map((other) => joined(one, other, compiler)))
}

function joined(one: Clause, other: Clause, compiler: PredicateCompiler): Clause {
  const tests = [...one.tests, ...other.tests]
  let { host = other.host, path = other.path } = one
  // Of two hosts or paths the more telling one is looked up, the other one asked.
  if (one.host !== undefined && other.host !== undefined) {
    const [first, second] = hostRank(one.host) >= hostRank(other.host) ? [one, other] : [other, one]
    host = first.host
    tests.push(compiler.of({ kind: 'host', names: [second.host!.text] }))
  }
  if (one.path !== undefined && other.path !== undefined) {
    const [first, second] = pathRank(one.path) >= pathRank(other.path) ? [one, other] : [other, one]
    path = first.path
    tests.push(compiler.of({ kind: 'path', form: second.path!.form, values: [second.path!.value] }))
  }
  const { weights: a } = one
  const { weights: b } = other
  return {
    host,
    path,
    tests,
    parts: [...one.parts, ...other.parts],
    weights: {
      path: a.path + b.path,
      method: a.method + b.method,
      header: a.header + b.header,
      query: a.query + b.query,
    },
  }
}

const longest = 0x10000

function hostRank(host: HostPattern | undefined): number {
  if (host === undefined) return 0
  return (host.wildcard ? 0 : longest) + host.name.length + 1
}

function pathRank(path: Clause['path']): number {
  if (path === undefined) return 0
  return (path.form === 'exact' ? 2 * longest : 0) + path.value.length + 1
}

/**
 * Which of two clauses goes first by Gateway API: an exact host before a wildcard, the longest first, before any; an exact
 * path, then other tests of the path, then the longest prefix; a method; the more header tests (cookies count as
 * such); the more query tests. Negative when `a` does; 0 leaves it to the order of the list.
 */
export function bySpecificity(a: Clause, b: Clause): number {
  return (
    hostRank(b.host) - hostRank(a.host) ||
    pathClass(b) - pathClass(a) ||
    pathRank(b.path) - pathRank(a.path) ||
    Math.min(b.weights.method, 1) - Math.min(a.weights.method, 1) ||
    b.weights.header - a.weights.header ||
    b.weights.query - a.weights.query
  )
}

function pathClass({ path, weights }: Clause): number {
  if (path?.form === 'exact') return 3
  if (weights.path > 0) return 2
  return path === undefined ? 0 : 1
}
