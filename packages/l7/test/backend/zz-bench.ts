import { backend, silentLog, systemClock, timerWheel } from '@steelyard/core'
import { getHeapStatistics } from 'node:v8'
import { upstreamConnections } from '../../src/backend/upstream-connections.ts'
import { demand, requestHead } from './bed.ts'
const stream: any = { state: 'connecting', ended: false, pending: 0, handler: undefined, write: () => true, end() {}, destroy() {}, pause() {}, resume() {}, }
const transport: any = { connect(_: any, handler: any) { stream.handler = handler; return stream } }
const connections = upstreamConnections({}, { transport, wheel: timerWheel(), clock: systemClock, log: silentLog, random: Math.random })
let leg: any; let ends = 0
const x: any = { connected(l: any) { leg = l }, unconnected(e: any) { throw e }, informational() {}, responseHead() {}, responseBody() {}, responseEnd() { ends++ }, backendDrained() {}, backendFailed(e: any) { throw e } }
const m = backend('10.0.0.1:80')
const d = demand()
const head = requestHead('GET', '/some/path/here', { Accept: '*/*', 'User-Agent': 'curl/8', Cookie: 'a=b; c=d', 'X-Forwarded-For': '1.2.3.4' })
const head2 = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Sat, 21 Nov 2026 11:00:00 GMT\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\r\n'
const response = new TextEncoder().encode(head2 + 'x'.repeat(1024))
connections.seek(m, x, d)
stream.state = 'open'; stream.handler.opened(stream)
leg.sendHead(head, 0, ''); stream.handler.data(stream, response)
function run(n: number) { for (let i = 0; i < n; i++) { connections.seek(m, x, d); leg.sendHead(head, 0, ''); stream.handler.data(stream, response) } }
run(200000)
for (let r = 0; r < 1; r++) {
  const t = performance.now(); run(500000); const dt = performance.now() - t
  let growth: number[] = []
  for (let b = 0; b < 50; b++) { const before = getHeapStatistics().used_heap_size; run(500); growth.push((getHeapStatistics().used_heap_size - before) / 500) }
  growth.sort((a, b) => a - b)
  console.log((dt * 1e6 / 500000).toFixed(0), 'ns/exchange', growth[25]!.toFixed(0), 'bytes/exchange', connections.stats!().reused)
}
