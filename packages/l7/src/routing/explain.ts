import { shown } from '@steelyard/core'
import type { HttpRequest } from '../exchange/http-request.ts'
import type { PredicateCompiler } from './predicate.ts'
import type { Match, Matcher } from './route.ts'

/** Why a condition is not met, in words; undefined when it is. */
export function whyNot(
  match: Match,
  request: HttpRequest,
  compiler: PredicateCompiler,
): string | undefined {
  if (compiler.of(match)(request)) return undefined
  if (typeof match === 'function') return `${describe(match)} says no`
  switch (match.kind) {
    case 'all':
      for (const part of match.of) {
        const reason = whyNot(part, request, compiler)
        if (reason !== undefined) return reason
      }
      // A condition that answers differently each time.
      return `${describe(match)}: not met when it was asked together`
    case 'any': {
      const reasons = match.of.map((part) => whyNot(part, request, compiler) ?? '')
      return several([...new Set(reasons)], '; and ')
    }
    case 'not':
      return `excluded: ${describe(match.of)}`
    case 'host': {
      const { host, port } = request
      const actual = host === '' ? 'not there' : shown(port === 0 ? host : `${host}:${port}`)
      return `host is ${actual}, wanted: ${wanted(match)}`
    }
    case 'path':
      return `path is ${shown(request.path)}, wanted: ${wanted(match)}`
    case 'test': {
      const actual = match.actual?.(request)
      return `${match.subject} is ${actual === undefined ? 'not there' : shown(actual)}, wanted: ${match.wants}`
    }
    default:
      return `${match.kind} is not met`
  }
}

/** A condition in words. */
export function describe(match: Match): string {
  if (typeof match === 'function') {
    return match.name === '' ? 'a condition of its own' : `the condition ${match.name}`
  }
  switch (match.kind) {
    case 'always':
      return 'every request'
    case 'all':
      return several(match.of.map(grouped), ' and ')
    case 'any':
      return several(match.of.map(grouped), ' or ')
    case 'not':
      return `not ${grouped(match.of)}`
    case 'host':
      return `host is ${wanted(match)}`
    case 'path':
      return `path is ${wanted(match)}`
    case 'test':
      return `${match.subject} is ${match.wants}`
    default:
      return match satisfies never
  }
}

function grouped(match: Match): string {
  const isGroup = typeof match === 'object' && (match.kind === 'all' || match.kind === 'any')
  return isGroup && match.of.length > 1 ? `(${describe(match)})` : describe(match)
}

function wanted(match: Matcher & { kind: 'host' | 'path' }): string {
  if (match.kind === 'host') return several(match.names, ' or ')
  const { form, values } = match
  const texts = values.map((value) => {
    switch (form) {
      case 'exact':
        return value
      case 'prefix':
        return `${value}/*`
      default:
        return `${value}…`
    }
  })
  return several(texts, ' or ')
}

function several(texts: readonly string[], between: string): string {
  const first = texts.slice(0, 5)
  if (texts.length > 5) first.push(`${texts.length - 5} more`)
  return first.join(between)
}
