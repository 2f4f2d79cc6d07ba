import { getHeapStatistics } from 'node:v8'
import { pool } from '@steelyard/core'
import type { HttpRequest } from '../src/exchange/http-request.ts'
import { all } from '../src/routing/combine.ts'
import { forward } from '../src/routing/forward.ts'
import { linearRegex } from '../src/routing/linear-regex.ts'
import { header } from '../src/routing/match-fields.ts'
import { host } from '../src/routing/match-host.ts'
import { path, pathText } from '../src/routing/match-path.ts'
import { type Match, route } from '../src/routing/route.ts'
import { router } from '../src/routing/router.ts'
import { startsWith } from '../src/routing/text-test.ts'

// What one question costs, for tables of different sizes; the requests hit rules all over the table. Run it with
// `node --conditions=@steelyard/source packages/l7/bench/routing.ts`.

const perRun = 1000
const site = forward(pool({ name: 'site', backends: ['192.0.2.1:80'] }))

const shapes: Readonly<Record<string, (index: number) => Match>> = {
  'a host each': (i) => host(`h${i}.example.com`),
  'a wildcard each': (i) => host(`*.h${i}.example.com`),
  'a prefix each': (i) => path(`/api/service-${i}/*`),
  'a whole path each': (i) => path(`/api/service-${i}/items`),
  'first characters each': (i) => pathText(startsWith(`/api/service-${i}/`)),
  'host, prefix and header': (i) =>
    all(host(`h${i % 100}.example.com`), path(`/api/service-${i}/*`), header('x-a', 'b')),
}

const regexText = '/api/v12/users/somebody'
const counts = [1, 10, 1000, 10_000]

for (const [shape, matchOf] of Object.entries(shapes)) {
  for (const count of counts) show(`${shape}, ${count} routes`, asking(count, matchOf))
}
for (const pattern of ['^/api/v\\d+/users/[^/]+$', '^/api/v\\d+\\b/users/[^/]+$']) {
  const regex = linearRegex(pattern)
  show(`regular expression, ${regex.engine}`, () => {
    for (let i = 0; i < perRun; i++) regex.test(regexText)
  })
}

function show(name: string, run: () => void): void {
  for (let i = 0; i < 300; i++) run()
  const rounds = Array.from({ length: 9 }, () => {
    const began = process.hrtime.bigint()
    for (let i = 0; i < 100; i++) run()
    return Number(process.hrtime.bigint() - began) / (100 * perRun)
  }).sort((a, b) => a - b)
  const growth = Array.from({ length: 31 }, () => {
    const before = getHeapStatistics().used_heap_size
    run()
    return (getHeapStatistics().used_heap_size - before) / perRun
  }).sort((a, b) => a - b)
  const bytes = Math.max(0, growth[15]!).toFixed(1)
  console.log(
    `${name.padEnd(48)} ${rounds[4]!.toFixed(0).padStart(6)} ns ${bytes.padStart(8)} bytes`,
  )
}

function asking(count: number, matchOf: (index: number) => Match): () => void {
  const routes = Array.from({ length: count }, (_, index) => route(matchOf(index), site))
  const { find } = router(routes, { compile: (_, name) => name })
  const requests = Array.from({ length: 64 }, (_, i) => {
    const index = (i * 7919) % count
    const isWildcard = JSON.stringify(matchOf(0)).includes('*.')
    const name = count > 100 && JSON.stringify(matchOf(0)).includes('prefix') ? index % 100 : index
    return requestFor(
      `${isWildcard ? 'www.' : ''}h${name}.example.com`,
      `/api/service-${index}/items`,
    )
  })
  for (const request of requests) {
    if (find(request) === undefined) throw new Error(`${request.host}${request.path} is not found`)
  }
  return () => {
    for (let i = 0; i < perRun; i++) find(requests[i & 63]!)
  }
}

function requestFor(host: string, path: string): HttpRequest {
  const address = { address: '192.0.2.1', port: 1, family: 4 } as const
  const values = ['b']
  return {
    method: 'GET',
    version: 'HTTP/1.1',
    scheme: 'http',
    host,
    port: 0,
    path,
    query: undefined,
    target: path,
    client: '192.0.2.1',
    peer: address,
    local: address,
    tls: undefined,
    bodyLength: 0,
    header: () => 'b',
    headerAll: () => values,
    headers: () => [],
    cookie: () => undefined,
    queryParameter: () => undefined,
    queryParameterAll: () => [],
  }
}
