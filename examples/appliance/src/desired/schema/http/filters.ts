import { group, optional } from '../field.ts'
import { bodyFilters } from './body-filters.ts'
import { guardFilters } from './guard-filters.ts'
import { notes } from './notes.ts'

/** Policies for requests; of a listener for all of them, of a rule for its own. */
export const filtersSchema = optional(
  group(
    { ...guardFilters, ...bodyFilters },
    notes(
      'Filters',
      'Policies for these requests. They act in a fixed order, whatever that here: request id, HTTPS redirect, access, CORS, load shedding, rates, authentication, rates by claim, concurrency, circuit breaker, faults, then bodies. Default: none.',
      { rateLimit: { limit: 100, window: '1m' }, hsts: { maxAge: '365d' } },
    ),
  ),
)
