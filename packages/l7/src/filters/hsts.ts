import {
  type Duration,
  flagOption,
  invalidOption,
  objectOption,
  parseDuration,
} from '@steelyard/core'
import type { HttpFilter } from '../exchange/http-filter.ts'

/** What {@link hsts} tells browsers. */
export interface HstsOptions {
  /** How long they use HTTPS only; whole seconds. 0 makes them forget it. Default `365d`. */
  readonly maxAge?: Duration
  /** For names below this host too. Default `false`. */
  readonly includeSubDomains?: boolean
  /** The owner agrees to lists that come with browsers; they ask for a year and `includeSubDomains`. Default `false`. */
  readonly preload?: boolean
  /** Replaces what the backend says; else that stays. Default `true`. */
  readonly override?: boolean
}

/** What the lists ask for, in seconds. */
const preloadSeconds = 31_536_000

/**
 * Tells browsers to come back by HTTPS only: Strict-Transport-Security (RFC 6797) on every response to a request that
 * came by `https`, and on no other (section 7.2).
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function hsts(options: HstsOptions = {}, path = 'hsts'): HttpFilter {
  const ms = parseDuration(objectOption(options, path).maxAge ?? '365d', `${path}.maxAge`)
  if (ms % 1000 !== 0) throw invalidOption(`${path}.maxAge`, 'must be whole seconds')
  const subDomains = flagOption(options.includeSubDomains ?? false, `${path}.includeSubDomains`)
  const preload = flagOption(options.preload ?? false, `${path}.preload`)
  const override = flagOption(options.override ?? true, `${path}.override`)
  if (preload && (!subDomains || ms / 1000 < preloadSeconds)) {
    throw invalidOption(
      `${path}.preload`,
      'needs "includeSubDomains" and a "maxAge" of 365d or more',
    )
  }
  const value = `max-age=${ms / 1000}${subDomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`
  return {
    name: 'hsts',
    responseHead(head, x) {
      if (x.request.scheme !== 'https') return
      if (override || !head.has(field)) head.set(field, value)
    },
  }
}

const field = 'Strict-Transport-Security'
