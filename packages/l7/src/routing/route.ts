import type { HttpRequest } from '../exchange/http-request.ts'
import type { Action } from './action.ts'

/** A condition as data, so that routes can be compiled, compared and explained. Made by `host`, `path`, `method` and the others. */
export type Matcher =
  | { readonly kind: 'always' }
  | { readonly kind: 'all' | 'any'; readonly of: readonly Match[] }
  | { readonly kind: 'not'; readonly of: Match }
  | {
      readonly kind: 'host'
      /** Exact names in lower case, or `*.example.com`; `*` for any. With a port it must be the one that the client named. */
      readonly names: readonly string[]
    }
  | {
      readonly kind: 'path'
      /** `exact`: the whole path; `prefix`: whole segments from the start. */
      readonly form: 'exact' | 'prefix'
      readonly values: readonly string[]
    }
  | {
      readonly kind: 'test'
      /** What it looks at, such as `header x-version`; for `explain`. */
      readonly subject: string
      /** What it wants, such as `starts with v2`. */
      readonly wants: string
      readonly test: Predicate
      /** For Gateway API precedence. */
      readonly weight?: 'method' | 'header' | 'query'
    }

/** An ACL of the embedder's own. Must not change anything; what it throws counts as no match and is logged. */
export type Predicate = (request: HttpRequest) => boolean

/** What {@link route} takes. */
export type Match = Matcher | Predicate

/** A condition and what is done with the requests that meet it. */
export interface Route {
  /** For logs, metrics and `explain`. Default: `route N` by position. */
  readonly name: string | undefined
  readonly match: Match
  readonly action: Action
  /** Explicit place for order `listed`, ascending; equals keep their order in the list. Default: none. */
  readonly position: number | undefined
}

/** In which order routes are tried: as listed; the most specific first (Gateway API); rejects, redirects, then the rest (Octavia). */
export type RouteOrder = 'listed' | 'specific' | 'octavia'

/** The routes, compiled. */
export interface Router<Target = Action> {
  /** The first that matches; undefined when none does. */
  find(request: HttpRequest): RouteEntry<Target> | undefined
  /** Every route that was looked at, and why it did not match, up to the one that did. */
  explain(request: HttpRequest): readonly RouteTrial[]
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
  /** The first condition that was not met, such as `host is api.example.com, not www.example.com`. */
  readonly because: string
}
