import type { Labels, Metrics } from '@steelyard/core'

/** Metrics of a listener that may get another name while it runs. */
export interface RenamedMetrics extends Metrics {
  /** What stands in the label `listener` from now on. */
  name: string
}

/** Passes on what is collected at a scrape under the name that the listener has then. */
export function renamedMetrics(metrics: Metrics, first: string): RenamedMetrics {
  const view: RenamedMetrics = {
    name: first,
    counter: (name, help, labels) => metrics.counter(name, help, labels),
    gauge: (name, help, labels) => metrics.gauge(name, help, labels),
    histogram: (name, help, bounds, labels) => metrics.histogram(name, help, bounds, labels),
    collect: (sample) =>
      metrics.collect((report) =>
        sample((kind, name, help, value, labels) =>
          report(kind, name, help, value, named(labels, view.name)),
        ),
      ),
  }
  return view
}

function named(labels: Labels | undefined, listener: string): Labels {
  return { ...labels, ...(labels?.['listener'] === undefined ? {} : { listener }) }
}
