import type { HttpFilter } from './http-filter.ts'

type With<Hook extends keyof HttpFilter> = HttpFilter & Required<Pick<HttpFilter, Hook>>

/** The filters of one route, sorted by hook once, so that an absent hook costs nothing. */
export interface FilterChain {
  readonly size: number
  readonly request: readonly With<'request'>[]
  readonly prefer: readonly With<'prefer'>[]
  readonly attempt: readonly With<'attempt'>[]
  readonly upstreamHead: readonly With<'upstreamHead'>[]
  readonly gather: readonly With<'gather'>[]
  readonly requestBody: readonly With<'requestBody'>[]
  readonly informational: readonly With<'informational'>[]
  readonly responseHead: readonly With<'responseHead'>[]
  readonly responseBody: readonly With<'responseBody'>[]
  readonly trailers: readonly With<'trailers'>[]
  readonly failed: readonly With<'failed'>[]
  readonly done: readonly {
    readonly filter: With<'done'>
    /** How many `request` hooks must have run before this filter has seen the exchange. */
    readonly after: number
  }[]
}

/** Makes a {@link FilterChain}: the outer filters first on the way to the backend, last on the way back. */
export function filterChain(filters: readonly HttpFilter[]): FilterChain {
  const having = <Hook extends keyof HttpFilter>(hook: Hook): With<Hook>[] =>
    filters.filter((filter): filter is With<Hook> => filter[hook] !== undefined)
  const request = having('request')
  return Object.freeze({
    size: filters.length,
    request,
    prefer: having('prefer'),
    attempt: having('attempt'),
    upstreamHead: having('upstreamHead'),
    gather: having('gather'),
    requestBody: having('requestBody'),
    informational: having('informational').reverse(),
    responseHead: having('responseHead').reverse(),
    responseBody: having('responseBody').reverse(),
    trailers: having('trailers').reverse(),
    failed: having('failed').reverse(),
    done: having('done').map((filter) => ({
      filter,
      after: request.indexOf(filter as With<'request'>) + 1,
    })),
  })
}
