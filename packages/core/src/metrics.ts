/** Label names and values of one series; keep the set of values bounded. */
export type Labels = Readonly<Record<string, string>>

/** A number that only grows. */
export interface Counter {
  add(amount?: number): void
}

/** A number that goes up and down. */
export interface Gauge {
  set(value: number): void
}

/** A distribution over fixed upper bounds. */
export interface Histogram {
  observe(value: number): void
}

/**
 * The metrics port. Names follow Prometheus (`steelyard_l4_connections_total`); a handle is taken once
 * and used on the hot path. Values that already live in typed arrays are read at scrape time by
 * {@link Metrics.collect} instead of being copied.
 */
export interface Metrics {
  counter(name: string, help: string, labels?: Labels): Counter
  gauge(name: string, help: string, labels?: Labels): Gauge
  histogram(name: string, help: string, bounds: readonly number[], labels?: Labels): Histogram
  /** Calls `sample` at each scrape; disposing removes it. */
  collect(sample: (report: Report) => void): Disposable
}

/** Where a {@link Metrics.collect} callback reports what it read. */
export type Report = (
  kind: 'counter' | 'gauge',
  name: string,
  help: string,
  value: number,
  labels?: Labels,
) => void

const nothing: Counter & Gauge & Histogram = { add() {}, set() {}, observe() {} }

/** The default: nothing is measured and nothing is paid. */
export const noMetrics: Metrics = Object.freeze({
  counter: () => nothing,
  gauge: () => nothing,
  histogram: () => nothing,
  collect: () => ({ [Symbol.dispose]() {} }),
})
