import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'

/** Both ways to hear of finished exchanges, which may be used together: nothing is told twice. */
export interface RecordTap {
  /** For a filter. */
  readonly done: (record: ExchangeRecord, x?: Exchange) => void
  /** For `onExchange`: tells what `done` has not. */
  readonly onExchange: (record: ExchangeRecord) => void
}

/** Makes a {@link RecordTap} that tells `heard`. */
export function recordTap(heard: (record: ExchangeRecord, x?: Exchange) => void): RecordTap {
  // A balancer tells onExchange right behind the last filter, so that one record is all there is to remember.
  let last: ExchangeRecord | undefined
  return Object.freeze({
    done(record: ExchangeRecord, x?: Exchange): void {
      last = record
      heard(record, x)
    },
    onExchange(record: ExchangeRecord): void {
      const seen = last === record
      last = undefined
      if (!seen) heard(record)
    },
  })
}
