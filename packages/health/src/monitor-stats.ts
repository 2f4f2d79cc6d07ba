import type { Metrics } from '@steelyard/core'

/** How much a monitor does, and has done. */
export interface MonitorStats {
  /** Targets times checks; what two pools share counts once. */
  readonly targets: number
  readonly inFlight: number
  readonly queued: number
  /** Targets without a conclusive result for three intervals. */
  readonly overdue: number
  /** Conclusive and inconclusive results so far. */
  readonly checks: number
  readonly passed: number
  readonly failed: number
  readonly inconclusive: number
  /** Checks that had to wait for a place. */
  readonly delayed: number
  /** Time they waited, all together. */
  readonly delayMs: number
  /** Verdicts that flipped. */
  readonly flips: number
}

/** Publishes a monitor's figures at each scrape, until disposed. */
export function publishStats(metrics: Metrics, read: () => MonitorStats): Disposable {
  return metrics.collect((report) => {
    const stats = read()
    for (const result of ['passed', 'failed', 'inconclusive'] as const) {
      const name = 'steelyard_health_checks_total'
      report('counter', name, 'Health checks made, by result.', stats[result], { result })
    }
    for (const [kind, name, help, value] of series(stats)) {
      report(kind, `steelyard_health_${name}`, help, value)
    }
  })
}

type Series = readonly ['counter' | 'gauge', string, string, number]

function series(stats: MonitorStats): readonly Series[] {
  const { delayed, delayMs, flips, targets, inFlight, queued, overdue } = stats
  return [
    ['counter', 'checks_delayed_total', 'Health checks that had to wait for a place.', delayed],
    ['counter', 'check_delay_seconds_total', 'Time that delayed checks waited.', delayMs / 1000],
    ['counter', 'flips_total', 'Health verdicts that changed.', flips],
    ['gauge', 'targets', 'Targets under check.', targets],
    ['gauge', 'checks_in_flight', 'Health checks that run now.', inFlight],
    ['gauge', 'checks_queued', 'Health checks that wait for a place now.', queued],
    ['gauge', 'overdue', 'Targets without a conclusive result for three intervals.', overdue],
  ]
}
