import { getHeapStatistics } from 'node:v8'
import { requestHead } from './bed.ts'
import { writeRequestHead } from '../../src/wire/write-head.ts'
import { ResponseParser } from '../../src/wire/response-parser.ts'
import { judgeResponse } from '../../src/wire/judge-response.ts'
import { defaultHeadLimits } from '../../src/wire/limits.ts'
const head = requestHead('GET', '/some/path/here', { Accept: '*/*', 'User-Agent': 'curl/8', Cookie: 'a=b; c=d', 'X-Forwarded-For': '1.2.3.4' })
const head2 = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Sat, 21 Nov 2026 11:00:00 GMT\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\r\n'
const response = new TextEncoder().encode(head2 + 'x'.repeat(1024))
const into = new Uint8Array(10000)
const p = new ResponseParser(defaultHeadLimits)
p.feed(response, 0, response.length)
function m(name: string, f: () => void) { for (let i = 0; i < 200000; i++) f(); const g: number[] = []; for (let b = 0; b < 50; b++) { const x = getHeapStatistics().used_heap_size; for (let i = 0; i < 500; i++) f(); g.push((getHeapStatistics().used_heap_size - x) / 500) } g.sort((a, b) => a - b); const t = performance.now(); for (let i = 0; i < 300000; i++) f(); console.log(name, g[25], ((performance.now() - t) * 1e6 / 300000).toFixed(0), 'ns') }
m('write', () => { writeRequestHead(into, 0, head, 0, '') })
m('parse', () => { p.next(); p.feed(response, 0, response.length) })
m('judge', () => { judgeResponse(p.head, 'GET', false) })
