import type { Labels, Report } from '@steelyard/core'
import type { TcpStats } from './counters.ts'

/** Reports what a TCP listener has counted, for a scrape. */
export function tcpSeries(stats: TcpStats, labels: Labels, report: Report): void {
  const gauge = (name: string, help: string, value: number): void =>
    report('gauge', `steelyard_l4_${name}`, help, value, labels)
  const counter = (name: string, help: string, value: number, more: Labels = {}): void =>
    report('counter', `steelyard_l4_${name}_total`, help, value, { ...labels, ...more })
  gauge('connections', 'Open TCP connections.', stats.active)
  gauge('queued', 'Connections that wait for room.', stats.queued)
  counter('accepted', 'Accepted TCP connections.', stats.accepted)
  counter('accept_failures', 'Failed accepts.', stats.acceptFailures)
  counter('connect_failures', 'Failed connects to backends.', stats.connectFailures)
  counter('retries', 'Connects tried on another member.', stats.retries)
  counter('bytes', 'Bytes relayed.', stats.bytesFromClient, { direction: 'from-client' })
  counter('bytes', 'Bytes relayed.', stats.bytesToClient, { direction: 'to-client' })
  for (const [reason, count] of Object.entries(stats.ended)) {
    counter('ended', 'Finished connections by reason.', count, { reason })
  }
}
