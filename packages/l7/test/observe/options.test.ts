import { hostileOptionsSuite } from '@steelyard/testing'
import { type AccessLogOptions, accessLog } from '../../src/observe/access-log.ts'
import { bufferedSink } from '../../src/observe/buffered-sink.ts'
import { httpMetrics } from '../../src/observe/http-metrics.ts'
import { serverTiming } from '../../src/observe/server-timing.ts'
import { tracing } from '../../src/observe/tracing.ts'
import { trafficTable } from '../../src/observe/traffic-table.ts'
import { memoryMetrics, memorySink } from './fakes.ts'

const log = (options: AccessLogOptions): unknown => accessLog(options)

hostileOptionsSuite([
  {
    name: 'accessLog json',
    args: [{ format: 'json', fields: ['time', 'status'], sink: memorySink(), sample: 0.5 }],
    call: log,
  },
  {
    name: 'accessLog json with own fields',
    args: [{ fields: { t: 'time', a: 'header:x-a' }, sink: memorySink() }],
    call: log,
  },
  {
    name: 'accessLog haproxy',
    args: [{ format: 'haproxy', capture: { request: ['a'], response: ['b'] }, sink: memorySink() }],
    call: log,
  },
  {
    name: 'accessLog with functions',
    args: [{ format: 'common', sink: memorySink() }, 'log'],
    call: log,
  },
  {
    name: 'bufferedSink',
    args: [
      { write: () => true },
      { maxBytes: '1MiB', batchBytes: 10, flushMs: 1, noticeEvery: '1s', notice: 'json' },
    ],
    call: (target: never, options: object) => void bufferedSink(target, options).close(),
  },
  {
    name: 'httpMetrics',
    args: [
      memoryMetrics(),
      {
        buckets: [0.1, 1],
        limits: { listeners: 1, routes: 1, pools: 1, members: 1, reasons: 1, groups: 1 },
        prefix: 'x_',
        aliases: { sets: ['l7lb', 'fgw'] },
      },
    ],
    call: httpMetrics,
  },
  { name: 'serverTiming', args: [{ phases: ['wait'], prefix: 'x-' }], call: serverTiming },
  {
    name: 'tracing',
    args: [
      {
        tracer: { startSpan: () => undefined },
        propagate: 'w3c',
        sample: 0.5,
        trustIncoming: 'trusted',
        respond: 'none',
        stateBytes: 512,
        query: false,
      },
    ],
    call: tracing,
  },
  {
    name: 'trafficTable',
    args: [{ windowMs: 1000, slices: 2, maxRows: 2 }],
    call: trafficTable,
  },
])
