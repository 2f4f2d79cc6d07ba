import type { FilterStock } from '../http/filter-stock.ts'

/** Filters of their own, but with the sessions of a listener that runs: only these may be looked at without harm. */
export function borrowedStock(running: FilterStock | undefined): FilterStock {
  return {
    take: (place, options, make) =>
      place.endsWith(' persistence') && running !== undefined
        ? running.take(place, options, make)
        : make(),
    commit() {},
    abandon: () => running?.abandon(),
  }
}
