import type { Metrics } from '@steelyard/core'
import type { NodeStatus } from '../admin/status.ts'

/** Series about the node itself: its document, its process, and how late its event loop is. */
export function nodeMetrics(metrics: Metrics, status: () => NodeStatus): Disposable {
  return metrics.collect((report) => {
    const { version, node, state, startedAt, config, quarantined, latenessMs } = status()
    const gauge = (name: string, help: string, value: number, labels = {}): void =>
      report('gauge', `steelyard_${name}`, help, value, labels)
    gauge('build_info', 'Always 1; the labels say what runs.', 1, { version, node })
    gauge(
      'ready',
      'Whether the node runs and is neither starting nor draining.',
      state === 'running' ? 1 : 0,
    )
    gauge('config_generation', 'Documents applied since the start.', config.generation)
    gauge(
      'config_refused',
      'Whether the newest document was refused and the one before stays in force.',
      config.refused === undefined ? 0 : 1,
    )
    gauge(
      'config_left_out',
      'Objects of the document that do not run as they say.',
      quarantined.length,
    )
    gauge(
      'loop_lateness_seconds',
      'How late the last tick of the event loop came.',
      latenessMs / 1000,
    )
    const { user, system } = process.cpuUsage()
    report(
      'counter',
      'process_cpu_seconds_total',
      'User and system CPU time of the process.',
      (user + system) / 1e6,
    )
    const { rss } = process.memoryUsage()
    report('gauge', 'process_resident_memory_bytes', 'Memory of the process in RAM.', rss)
    report(
      'gauge',
      'process_start_time_seconds',
      'When the process started, in seconds since the epoch.',
      Date.parse(startedAt) / 1000,
    )
  })
}
