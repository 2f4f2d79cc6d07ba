import { functionOption, invalidOption, listOption, objectOption, shown } from '@steelyard/core'
import type { HttpRequest } from '../exchange/http-request.ts'
import type { Action } from './action.ts'
import { bySpecificity, type Clause, clausesOf } from './clause.ts'
import { describe, whyNot } from './explain.ts'
import { type PredicateCompiler, predicateCompiler } from './predicate.ts'
import {
  checkedRoute,
  type Match,
  type Route,
  type RouteEntry,
  type RouteOrder,
  type Router,
  type RouteTrial,
} from './route.ts'
import { type RankedClause, routeIndex } from './route-index.ts'

/** How {@link router} compiles. */
export interface RouterOptions<Target> {
  /** Default `listed`. */
  readonly order?: RouteOrder
  /** Makes of a route what {@link Router.find} gives. Called once for each route, in the order of the list. */
  readonly compile: (route: Route, name: string) => Target
  /** A condition threw, or answered with a promise: once for each condition. It counts as not met. Must not throw. */
  readonly onError?: (error: unknown, route: Route) => void
}

/** What is kept of a route. */
interface Compiled<Target> {
  readonly entry: RouteEntry<Target>
  readonly compiler: PredicateCompiler
  /** Place among those of the same class: explicit positions first, then the list. */
  readonly listed: number
}

/** A condition that `explain` tells of, in the order of trial. */
interface Trial {
  readonly name: string
  readonly match: Match
  readonly compiler: PredicateCompiler
}

/**
 * Compiles routes. The first one that matches wins, in one of three orders:
 *
 * - `listed`: explicit positions, ascending; then as in the list.
 * - `specific`: as Gateway API has it: exact host, longest wildcard, any; exact path, other tests of the path (regular
 *   expression, suffix, file type), longest prefix; a method; most headers; most query parameters; then as listed. A
 *   route with alternatives has a place for each of them.
 * - `octavia`: rejects, redirects, then the rest; each as listed.
 *
 * A question costs about the same for ten routes and for ten thousand, as long as their hosts and paths tell them
 * apart, and allocates nothing of its own. Routes that share host and path are asked one after the other.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function router(routes: readonly Route[]): Router
export function router<Target>(
  routes: readonly Route[],
  options: RouterOptions<Target>,
): Router<Target>
export function router<Target>(
  routes: readonly Route[],
  options?: RouterOptions<Target>,
): Router<Target | Action> {
  const {
    order = 'listed',
    compile = actionOf,
    onError,
  } = objectOption((options ?? {}) as Partial<RouterOptions<Target | Action>>, 'router')
  if (order !== 'listed' && order !== 'specific' && order !== 'octavia') {
    throw invalidOption('router.order', `${shown(order)} is none of listed, specific, octavia`)
  }
  functionOption(compile, 'router.compile')
  if (onError !== undefined) functionOption(onError, 'router.onError')
  const compiled = listOption(routes, 'routes').map((given, index) => {
    const route = checkedRoute(given, `routes[${index}]`)
    const name = route.name ?? `route ${index + 1}`
    return {
      entry: Object.freeze({ name, route, target: compile(route, name) }),
      compiler: predicateCompiler((error) => onError?.(error, route)),
      listed: 0,
    }
  })
  const inOrder = compiled
    .toSorted((a, b) => byPosition(a.entry.route, b.entry.route))
    .map((route, listed) => ({ ...route, listed }))
  const { ranked, trials } = order === 'specific' ? bySpecific(inOrder) : byRoute(inOrder, order)
  const index = routeIndex(ranked)
  return Object.freeze({
    entries: Object.freeze(compiled.map(({ entry }) => entry)),
    find: (request: HttpRequest) => index.find(request),
    explain: (request: HttpRequest) => explain(trials, request),
  })
}

function actionOf({ action }: Route): Action {
  return action
}

function byPosition(a: Route, b: Route): number {
  const first = a.position ?? Infinity
  const second = b.position ?? Infinity
  return first === second ? 0 : first - second
}

interface Ranking<Target> {
  readonly ranked: readonly RankedClause<RouteEntry<Target>>[]
  readonly trials: readonly Trial[]
}

function byRoute<Target>(
  routes: readonly Compiled<Target>[],
  order: 'listed' | 'octavia',
): Ranking<Target> {
  const sorted =
    order === 'listed'
      ? routes
      : routes.toSorted((a, b) => classOf(a.entry.route) - classOf(b.entry.route))
  const ranked = sorted.flatMap(({ entry, compiler }, place) =>
    clausesOf(entry.route.match, compiler, false).map((clause) => ({
      order: place,
      clause,
      value: entry,
    })),
  )
  const trials = sorted.map(({ entry, compiler }) => ({
    name: entry.name,
    match: entry.route.match,
    compiler,
  }))
  return { ranked, trials }
}

function classOf({ action }: Route): number {
  if (action.kind === 'forward') return 2
  return { reject: 0, redirect: 1, respond: 2 }[action.rank]
}

function bySpecific<Target>(routes: readonly Compiled<Target>[]): Ranking<Target> {
  const places = routes.flatMap((route) =>
    clausesOf(route.entry.route.match, route.compiler, true).map((clause) => ({ clause, route })),
  )
  // The sort is stable: what is equally specific stays as listed.
  const sorted = places.sort((a, b) => bySpecificity(a.clause, b.clause))
  return {
    ranked: sorted.map(({ clause, route }, order) => ({ order, clause, value: route.entry })),
    trials: sorted.map(({ clause, route }) => ({
      name: route.entry.name,
      match: matchOf(clause),
      compiler: route.compiler,
    })),
  }
}

function matchOf({ parts }: Clause): Match {
  return parts.length === 1 ? parts[0]! : { kind: 'all', of: parts }
}

function explain(trials: readonly Trial[], request: HttpRequest): readonly RouteTrial[] {
  const told: RouteTrial[] = []
  for (const { name, match, compiler } of trials) {
    const reason = whyNot(match, request, compiler)
    const matched = reason === undefined
    told.push(Object.freeze({ name, matched, because: reason ?? describe(match) }))
    if (matched) break
  }
  return Object.freeze(told)
}
