import type { Metrics } from '@steelyard/core'
import type { Registry } from './registry.ts'

/** Series of pools and members: as many as the document has, and no label that a client can choose. */
export function poolMetrics(metrics: Metrics, { pools }: Registry): Disposable {
  return metrics.collect((report) => {
    for (const [name, { pool }] of pools) {
      const labels = { pool: name }
      report(
        'gauge',
        'steelyard_pool_available',
        'Whether the quorum of members is up.',
        pool.available.current ? 1 : 0,
        labels,
      )
      report(
        'gauge',
        'steelyard_pool_queued',
        'Connections that wait for a member with room.',
        pool.queue.size,
        labels,
      )
      for (const { backend, condition, weight, active, total, failures } of pool.members()) {
        const member = { ...labels, member: backend.id }
        report(
          'gauge',
          'steelyard_member_up',
          'Whether the member takes traffic.',
          condition === 'up' || condition === 'unknown' ? 1 : 0,
          member,
        )
        report('gauge', 'steelyard_member_weight', 'Weight in force.', weight, member)
        report('gauge', 'steelyard_member_connections', 'Open connections.', active, member)
        report(
          'counter',
          'steelyard_member_connections_total',
          'Connections so far.',
          total,
          member,
        )
        report(
          'counter',
          'steelyard_member_failures_total',
          'Failed connects and the like.',
          failures,
          member,
        )
      }
    }
  })
}
