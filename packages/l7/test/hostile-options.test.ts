import { type Pool, pool } from '@steelyard/core'
import { hostileOptionsSuite } from '@steelyard/testing'
import { createProxyServer, type ServerOptions } from '../src/http-proxy/index.ts'
import {
  type AnswerAction,
  all,
  always,
  endsWith,
  type ForwardOptions,
  forward,
  type HttpBalancerOptions,
  type HttpFilter,
  type HttpReconfiguration,
  handle,
  haproxyLine,
  httpBalancer,
  insertedCookie,
  jsonLine,
  type Route,
  respond,
  route,
  startsWith,
  templateLine,
  templateParts,
} from '../src/index.ts'

const web = pool({ name: 'web', backends: ['192.0.2.1:80'] })
const other = pool({ name: 'other', backends: ['192.0.2.2:80'] })
const listen = '127.0.0.1:0'
const filter: HttpFilter = { name: 'own', request: () => undefined }

const timeouts = {
  head: '10s',
  keepAlive: '75s',
  body: '20s',
  bodyRate: 256,
  queue: 500,
  connect: '5s',
  firstByte: '60s',
  idle: '60s',
  total: 0,
  tunnel: '1h',
}

const upstream = {
  protocol: 'http/1.1',
  sendProxy: 'v2',
  sourceAddresses: ['192.0.2.9', '2001:db8::9'],
  reuse: 'safe',
  maxIdle: 256,
  idleTimeout: '30s',
  maxLifetime: '5m',
  maxRequests: 0,
  maxStreams: 100,
  maxSessions: 4,
}

const retries = {
  attempts: 2,
  on: ['connect', 'reset', 'timeout', 503, '5xx', 'unavailable'],
  nonIdempotent: false,
  perTry: '5s',
  backoff: { base: '25ms', max: '250ms' },
  bodyBytes: '64KiB',
  hedge: '100ms',
}

const fields = { set: { 'x-a': '%{host}' }, add: { 'x-b': ['1', '2'] }, remove: ['x-c'] }

const forwarding = {
  retries,
  timeouts,
  upstream,
  rewrite: {
    prefix: { from: '/a', to: '/b' },
    path: undefined,
    regex: undefined,
    host: 'backend',
    query: 'a=%{host}',
  },
  setHeaders: { 'x-d': '1' },
  requestHeaders: fields,
  responseHeaders: fields,
  use: [filter, insertedCookie()],
  upgrades: ['websocket'],
  maxBody: '1MiB',
  hashKey: undefined,
}

/** What may change while it runs. */
const changeable = {
  routes: [route(always, forward(web))],
  order: 'listed',
  use: [filter],
  tls: undefined,
  handshakeTimeout: '10s',
  http2: {
    priorKnowledge: true,
    maxConcurrentStreams: 128,
    maxStreams: 10_000,
    maxHeaderListPairs: 100,
    maxHeaderListSize: '16KiB',
    idleTimeout: '75s',
    abuseLimit: 100,
  },
  acceptProxy: { from: ['192.0.2.0/24'], untrusted: 'direct', versions: [1, 2] },
  acl: undefined,
  trustedProxies: ['10.0.0.0/8'],
  gate: {},
  forwarding: { forwarded: 'both', pseudonym: 'edge-1' },
  timeouts,
  limits: { head: '16KiB', line: '8KiB', lines: 100, body: '1MiB', requests: 100, connections: 10 },
  retryBudget: undefined,
  errorPages: undefined,
  continueBy: 'backend',
  proxyStatus: 'edge-1',
  halfClose: true,
  whenDown: 'reset',
  onExchange: undefined,
}

const rest = {
  name: 'front',
  nodeLimit: undefined,
  drain: '1s',
  transport: undefined,
  clock: undefined,
  wheel: undefined,
  log: undefined,
  metrics: undefined,
  random: undefined,
}

const toWeb = (options: ForwardOptions): unknown =>
  httpBalancer({ listen, routes: [route(always, forward(web, options))] })

hostileOptionsSuite([
  {
    name: 'httpBalancer',
    args: [{ ...changeable, ...rest, listen }],
    call: (options: HttpBalancerOptions) => httpBalancer(options),
  },
  {
    name: 'httpBalancer, where it listens and how it speaks',
    args: [
      {
        listen: { host: '127.0.0.1', port: 0, backlog: 5, reusePort: true, ipv6Only: false },
        routes: [],
        http2: 'prior-knowledge',
        proxyStatus: true,
      },
    ],
    call: httpBalancer,
  },
  ...(['acl', 'errorPages', 'onExchange', 'random', 'retryBudget', 'clock', 'wheel'] as const).map(
    (name) => ({
      name: `httpBalancer, ${name}`,
      args: [undefined],
      call: (value: never) => httpBalancer({ listen, routes: [], [name]: value }),
    }),
  ),
  {
    name: 'httpBalancer.reconfigure',
    args: [changeable],
    call: (options: HttpReconfiguration) =>
      httpBalancer({ listen, routes: [] }).reconfigure(options),
  },
  {
    name: 'httpBalancer with routes that were written by hand',
    args: [
      {
        match: { kind: 'path', form: 'prefix', values: ['/a'] },
        action: {
          kind: 'forward',
          pools: [
            { pool: web, weight: 1 },
            { pool: other, weight: 2 },
          ],
          sticky: 'split',
          options: {},
        },
        name: 'a',
        position: 1,
      },
    ],
    call: (one: Route) => httpBalancer({ listen, routes: [one] }),
  },
  {
    name: 'httpBalancer with an answer that was written by hand',
    args: [
      { kind: 'answer', summary: 'x', rank: 'respond', answer: () => undefined, use: [filter] },
    ],
    call: (action: AnswerAction) => httpBalancer({ listen, routes: [route(always, action)] }),
  },
  { name: 'forward, in a balancer', args: [forwarding], call: toWeb },
  {
    name: 'forward by TLS, in a balancer',
    args: [
      {
        upstream: {
          protocol: 'auto',
          tls: { serverName: 'a.example', verify: true, minVersion: 'TLSv1.2', sessions: 10 },
        },
        retries: 3,
        rewrite: { path: '/x/%{path}' },
      },
    ],
    call: toWeb,
  },
  {
    name: 'forward to several pools, in a balancer',
    args: [web, 1, other, 2, 'split'],
    call: (a: Pool, first: number, b: Pool, second: number, sticky: string) => {
      const pools = [
        { pool: a, weight: first },
        { pool: b, weight: second },
      ]
      httpBalancer({ listen, routes: [route(always, forward(pools, { sticky }))] })
    },
  },
  {
    name: 'a filter',
    args: [{ name: 'own', request: undefined, prefer: undefined, done: undefined }],
    call: (one: HttpFilter) => httpBalancer({ listen, routes: [], use: [one] }),
  },
  {
    name: 'a filter of an answer',
    args: [[filter]],
    call: (use: HttpFilter[]) =>
      httpBalancer({ listen, routes: [route(always, respond(200, { use }))] }),
  },
  {
    name: 'handle, in a balancer',
    args: [() => undefined, 'name'],
    call: (handler: () => undefined, name: string) =>
      httpBalancer({ listen, routes: [route(always, handle(handler, name))] }),
  },
  { name: 'all', args: [always, { kind: 'path', form: 'exact', values: ['/a'] }], call: all },
  { name: 'startsWith', args: [['a'], { ignoreCase: true }], call: startsWith },
  { name: 'endsWith', args: [['a'], { ignoreCase: true }], call: endsWith },
  {
    name: 'haproxyLine',
    args: [{ request: ['host'], response: ['server'] }],
    call: (options: never) => haproxyLine(options),
  },
  {
    name: 'jsonLine',
    args: [['time', 'status']],
    call: (fields: never) => jsonLine(fields),
  },
  {
    name: 'templateLine',
    args: ['%{client} %{status}'],
    call: (text: string) => templateLine(text),
  },
  {
    name: 'templateParts',
    args: ['%{host}%{header:x}'],
    call: (text: string) => templateParts(text, 'at'),
  },
  {
    name: 'createProxyServer',
    args: [
      {
        target: 'http://192.0.2.1:80',
        forward: { host: '192.0.2.2', port: 80, protocol: 'http:' },
        agent: false,
        ws: true,
        xfwd: 'append',
        secure: false,
        toProxy: true,
        prependPath: false,
        ignorePath: true,
        localAddress: '192.0.2.9',
        changeOrigin: true,
        auth: 'user:password',
        hostRewrite: 'a.example',
        autoRewrite: true,
        protocolRewrite: 'https',
        cookieDomainRewrite: { '*': 'a.example' },
        cookiePathRewrite: '/',
        headers: { 'x-a': '1', 'x-b': ['2', '3'] },
        proxyTimeout: 1000,
        timeout: 1000,
        followRedirects: false,
        selfHandleResponse: true,
        method: 'POST',
      },
    ],
    call: (options: ServerOptions) => createProxyServer(options).close(),
  },
])
