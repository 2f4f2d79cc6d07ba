import { invalidOption, listOption, objectOption, shown, textOption } from '@steelyard/core'
import type { HttpRequest } from '../exchange/http-request.ts'
import type { Action } from './action.ts'
import { matchOption } from './match-option.ts'
import type { PathForm } from './path-pattern.ts'

/** A condition as data, so that routes can be compiled, compared and explained. Made by `host`, `path`, `method` and the others. */
export type Matcher =
  | { readonly kind: 'always' }
  | { readonly kind: 'all' | 'any'; readonly of: readonly Match[] }
  | { readonly kind: 'not'; readonly of: Match }
  | {
      readonly kind: 'host'
      /**
       * Exact names in lower case, or `*.example.com` for every name below it at any depth; `*` for any, also none. With
       * a port it must be the one that the client named, or the scheme's own when it named none.
       */
      readonly names: readonly string[]
    }
  | {
      readonly kind: 'path'
      /** `exact`: the whole path; `prefix`: whole segments from the start, without the last slash; `start`: the first characters. */
      readonly form: PathForm
      readonly values: readonly string[]
    }
  | {
      readonly kind: 'test'
      /** What it looks at, such as `header x-version`; for `explain`. */
      readonly subject: string
      /** What it wants, such as `starts with v2`. */
      readonly wants: string
      readonly test: Predicate
      /** What there is in place of what it wants, for `explain`; undefined for nothing. */
      readonly actual?: (request: HttpRequest) => string | undefined
      /** For Gateway API precedence. `path`: a test of the path that is none of the forms above. */
      readonly weight?: 'path' | 'method' | 'header' | 'query'
    }

/**
 * An ACL of the embedder's own. It must not change anything and must answer at once: what it throws, and a promise,
 * count as no match and are reported.
 */
export type Predicate = (request: HttpRequest) => boolean

/** What {@link route} takes. */
export type Match = Matcher | Predicate

/** A condition and what is done with the requests that meet it. */
export interface Route {
  /** For logs, metrics and `explain`. Default: `route N` by position. */
  readonly name: string | undefined
  readonly match: Match
  readonly action: Action
  /**
   * Explicit place, ascending, in front of all routes that have none; equals keep their order in the list. It decides
   * last in the orders `specific` and `octavia`. Default: none.
   */
  readonly position: number | undefined
}

/** In which order routes are tried: as listed; the most specific first (Gateway API); rejects, redirects, then the rest (Octavia). */
export type RouteOrder = 'listed' | 'specific' | 'octavia'

/** The routes, compiled. */
export interface Router<Target = Action> {
  /** The first that matches; undefined when none does. */
  find(request: HttpRequest): RouteEntry<Target> | undefined
  /**
   * Every route that comes before the one that matches, in the order of trial, and why it does not match; then the one
   * that does. In order `specific` a route that matches in several ways comes once for each of these.
   */
  explain(request: HttpRequest): readonly RouteTrial[]
  /** As listed. */
  readonly entries: readonly RouteEntry<Target>[]
}

/** A compiled route: what was made of its action when the router was built. */
export interface RouteEntry<Target = Action> {
  readonly name: string
  readonly route: Route
  readonly target: Target
}

/** How one route fared, for `explain`. */
export interface RouteTrial {
  readonly name: string
  readonly matched: boolean
  /** The first condition that is not met, such as `host is "www.example.com", wanted: api.example.com`; else what is met. */
  readonly because: string
}

/** What may be said of a route besides what it matches and does. */
export interface RouteOptions {
  /** For logs, metrics and `explain`. Default: `route N` by its place in the list. */
  readonly name?: string
  /** See {@link Route.position}. */
  readonly position?: number
}

/**
 * A route: requests that meet the condition are dealt with by the action.
 *
 * @throws `invalid-option` for what is no condition or no action, and for options that there are not.
 */
export function route(match: Match, action: Action, options: RouteOptions = {}): Route {
  const { name, position } = objectOption(options, 'route')
  for (const key of Object.keys(options)) {
    // A filter in the wrong place would guard nothing, and nobody would notice.
    if (key !== 'name' && key !== 'position') {
      throw invalidOption(`route.${key}`, 'is no option of a route: filters stand in its action')
    }
  }
  return checkedRoute({ match, action, name, position }, 'route')
}

/** Those that need no second look. */
const checked = new WeakSet<Route>()

/**
 * A route that may have been written by hand, frozen, its action told what the route matches; itself when it was
 * made by {@link route}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function checkedRoute(given: Route, path: string): Route {
  const { match, action, name, position } = objectOption(given, path)
  if (checked.has(given)) return given
  matchOption(match, `${path}.match`)
  if (position !== undefined && !Number.isSafeInteger(position)) {
    throw invalidOption(`${path}.position`, `${shown(position)} is not a whole number`)
  }
  if (name !== undefined && textOption(name, `${path}.name`) === '') {
    throw invalidOption(`${path}.name`, 'must not be empty')
  }
  const made: Route = Object.freeze({
    match,
    action: actionFor(action, match, `${path}.action`),
    name,
    position,
  })
  checked.add(made)
  return made
}

function actionFor(given: Action, match: Match, path: string): Action {
  const action = objectOption(given, path)
  if (action.kind === 'forward') {
    listOption(action.pools, `${path}.pools`)
    return action
  }
  if (action.kind === 'answer' && typeof action.answer === 'function') {
    return action.boundTo?.(match) ?? action
  }
  throw invalidOption(
    path,
    `${shown(action.kind)} is no action: use forward, redirect, respond and the others`,
  )
}
