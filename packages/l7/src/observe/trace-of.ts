import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'

/** Where an exchange stands in a distributed trace. */
export interface TracePlace {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits: our own span of this exchange. */
  readonly spanId: string
  /** The span that called us; undefined when the trace begins here. */
  readonly parentId: string | undefined
  /** It is recorded, not only passed on. */
  readonly sampled: boolean
}

/** Under what an exchange remembers its place. */
const traceKey: object = Object.freeze({})
/** Of exchanges that are over, for those who are only told the record. */
const ofRecords = new WeakMap<ExchangeRecord, TracePlace>()

/** An exchange's place in a trace; undefined when no tracing filter gave it one yet. */
export function traceOf(x: Exchange | undefined, record?: ExchangeRecord): TracePlace | undefined {
  const place = x?.recall(traceKey) as TracePlace | undefined
  return place ?? (record === undefined ? undefined : ofRecords.get(record))
}

/** Gives an exchange its place. @internal */
export function placeTrace(x: Exchange, place: TracePlace): void {
  x.remember(traceKey, place)
}

/** Lets those who are only told the record know its place. @internal */
export function placeRecord(record: ExchangeRecord, place: TracePlace): void {
  ofRecords.set(record, place)
}
