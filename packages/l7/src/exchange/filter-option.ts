import {
  functionOption,
  invalidOption,
  listOption,
  objectOption,
  textOption,
} from '@steelyard/core'
import type { HttpFilter } from './http-filter.ts'

const hooks: Readonly<Record<Exclude<keyof HttpFilter, 'name'>, true>> = {
  request: true,
  gather: true,
  prefer: true,
  attempt: true,
  upstreamHead: true,
  requestBody: true,
  informational: true,
  responseHead: true,
  responseBody: true,
  trailers: true,
  failed: true,
  done: true,
}
const hookNames = Object.keys(hooks) as (keyof typeof hooks)[]

/**
 * A list of filters, as itself.
 *
 * @throws `invalid-option` with the path of what is none.
 */
export function filtersOption(filters: readonly HttpFilter[], path: string): readonly HttpFilter[] {
  listOption(filters, path).forEach((filter, index) => {
    const at = `${path}[${index}]`
    if (typeof filter === 'function') {
      throw invalidOption(at, 'a function is no filter: call it, as in compression()')
    }
    textOption(objectOption(filter, at).name, `${at}.name`)
    for (const hook of hookNames) {
      if (filter[hook] !== undefined) functionOption(filter[hook], `${at}.${hook}`)
    }
  })
  return filters
}
