import { types } from 'node:util'
import type { HttpRequest } from '../exchange/http-request.ts'
import { type HostPattern, hostFits, parseHostPattern } from './host-pattern.ts'
import { pathFits } from './path-pattern.ts'
import type { Match, Matcher, Predicate } from './route.ts'

/** Makes predicates of conditions; of the same condition the same one. */
export interface PredicateCompiler {
  of(match: Match): Predicate
}

/**
 * Makes a {@link PredicateCompiler} for one route.
 *
 * @param report - hears of the first thing that each condition throws, or of its answering with a promise; both count as no.
 */
export function predicateCompiler(report: (error: unknown) => void): PredicateCompiler {
  const made = new Map<Match, Predicate>()
  const of = (match: Match): Predicate => {
    let predicate = made.get(match)
    if (predicate === undefined) {
      predicate = typeof match === 'function' ? guarded(match, report) : compile(match)
      made.set(match, predicate)
    }
    return predicate
  }
  const compile = (matcher: Matcher): Predicate => {
    switch (matcher.kind) {
      case 'always':
        return () => true
      case 'all':
        return everyOf(matcher.of.map(of))
      case 'any':
        return someOf(matcher.of.map(of))
      case 'not': {
        const inner = of(matcher.of)
        return (request) => !inner(request)
      }
      case 'host':
        return hostPredicate(matcher.names.map((name) => parseHostPattern(name, 'host')))
      case 'path': {
        const { form, values } = matcher
        return ({ path }) => {
          for (const value of values) if (pathFits(form, value, path)) return true
          return false
        }
      }
      case 'test':
        return guarded(matcher.test, report)
      default:
        return matcher satisfies never
    }
  }
  return { of }
}

/** Is one of these hosts meant, with the port? */
export function hostPredicate(patterns: readonly HostPattern[]): Predicate {
  return (request) => {
    const { host } = request
    for (const pattern of patterns) {
      if (hostFits(pattern, host) && portFits(pattern.port, request)) return true
    }
    return false
  }
}

/** A client that names no port means the scheme's own. */
export function portFits(wanted: number, { port, scheme }: HttpRequest): boolean {
  return wanted === 0 || wanted === (port === 0 ? (scheme === 'https' ? 443 : 80) : port)
}

function everyOf(predicates: readonly Predicate[]): Predicate {
  return (request) => {
    for (const predicate of predicates) if (!predicate(request)) return false
    return true
  }
}

function someOf(predicates: readonly Predicate[]): Predicate {
  return (request) => {
    for (const predicate of predicates) if (predicate(request)) return true
    return false
  }
}

/** The embedder's own code must not keep a request from being routed. */
function guarded(predicate: Predicate, report: (error: unknown) => void): Predicate {
  let reported = false
  const tell = (error: unknown): false => {
    if (!reported) {
      reported = true
      report(error)
    }
    return false
  }
  return (request) => {
    try {
      const met: unknown = predicate(request)
      if (typeof met === 'boolean') return met
      if (!types.isPromise(met)) return Boolean(met)
      // It is said below that its answer comes too late, so that what it fails by is of no more interest.
      met.catch(() => undefined)
      return tell(new TypeError('a condition answered with a promise: it has to answer at once'))
    } catch (error) {
      return tell(error)
    }
  }
}
