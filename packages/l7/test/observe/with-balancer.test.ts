import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { pool } from '@steelyard/core'
import { expect, it } from 'vitest'
import { httpBalancer } from '../../src/http-balancer.ts'
import { accessLog } from '../../src/observe/access-log.ts'
import { httpMetrics } from '../../src/observe/http-metrics.ts'
import { serverTiming } from '../../src/observe/server-timing.ts'
import { tracing } from '../../src/observe/tracing.ts'
import { trafficTable } from '../../src/observe/traffic-table.ts'
import { forward } from '../../src/routing/forward.ts'
import { path } from '../../src/routing/match-path.ts'
import { route } from '../../src/routing/route.ts'
import { memoryMetrics, memorySink } from './fakes.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'

it('sees what went through a balancer, what found no route, and what was refused by its head', async () => {
  const traces: unknown[] = []
  await using origin = createServer((request, response) => {
    traces.push(request.headers['traceparent'])
    request.resume()
    response.end('hello')
  }).listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const { port } = origin.address() as AddressInfo
  const carts = pool({ name: 'carts', backends: [{ address: `127.0.0.1:${port}`, id: 'c1' }] })
  const sink = memorySink()
  const fields = ['method', 'path', 'status', 'route', 'backend', 'reason', 'bytesOut', 'traceId']
  const metrics = memoryMetrics()
  const log = accessLog({ sink, fields })
  const measured = httpMetrics(metrics)
  const table = trafficTable()
  const all = Promise.withResolvers<void>()
  await using balancer = await httpBalancer({
    listen: '127.0.0.1:0',
    name: 'web',
    use: [
      tracing({ trustIncoming: true, respond: 'traceresponse' }),
      log,
      measured,
      table,
      serverTiming(),
    ],
    routes: [route(path('/shop'), forward(carts), { name: 'shop' })],
    onExchange(record) {
      for (const one of [log, measured, table]) one.onExchange(record)
      if (record.request === undefined) all.resolve()
    },
  }).start()

  const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
  const answer = await balancer.inject({
    url: '/shop',
    headers: { host: 'a.example', traceparent },
  })
  expect(answer.header('traceresponse')).toBe(traces[0])
  expect(traces[0]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`))
  expect(traces[0]).not.toBe(traceparent)
  expect(answer.header('server-timing')).toMatch(
    /^lb-wait;dur=[\d.]+, lb-backend;dur=[\d.]+, lb-total;dur=[\d.]+$/,
  )
  expect((await balancer.inject({ url: '/none', headers: { host: 'a.example' } })).status).toBe(404)
  const raw = connect(balancer.address!.port, '127.0.0.1')
  raw.resume()
  raw.write('GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n')
  await all.promise
  raw.destroy()

  const lines = sink.lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines).toHaveLength(3)
  expect(lines[0]).toEqual({
    method: 'GET',
    path: '/shop',
    status: 200,
    route: 'shop',
    backend: 'c1',
    reason: 'done',
    bytesOut: 5,
    traceId,
  })
  expect(lines[1]).toMatchObject({ path: '/none', status: 404, reason: 'no-route' })
  expect(lines[2]).toEqual({ status: 400, reason: 'bad-request', bytesOut: 0 })
  const seen = [...metrics.read()].filter(([name]) => name.startsWith('steelyard_http_requests'))
  expect(Object.fromEntries(seen)).toMatchObject({
    'steelyard_http_requests_total{listener="web",route="shop",pool="carts",member="c1",method="GET",class="2xx"}': 1,
    'steelyard_http_requests_total{listener="web",route="",pool="",member="",method="GET",class="4xx"}': 1,
    'steelyard_http_requests_total{listener="web",route="",pool="",member="",method="none",class="4xx"}': 1,
    'steelyard_http_requests_in_flight{listener="web",route="shop"}': 0,
  })
  expect(table.snapshot().total.requests).toBe(3)
})
