import { hostileOptionsSuite } from '@steelyard/testing'
import { always, any, not } from '../../src/routing/combine.ts'
import { fieldChanges } from '../../src/routing/field-changes.ts'
import { forward } from '../../src/routing/forward.ts'
import { linearRegex } from '../../src/routing/linear-regex.ts'
import { clientIn, peerIn, port, scheme } from '../../src/routing/match-connection.ts'
import { cookie, header, method, query } from '../../src/routing/match-fields.ts'
import { grpc } from '../../src/routing/match-grpc.ts'
import { host, hostText } from '../../src/routing/match-host.ts'
import {
  fileType,
  path,
  pathPrefix,
  pathRegex,
  pathSuffix,
  pathText,
} from '../../src/routing/match-path.ts'
import {
  clientCertificate,
  distinguishedName,
  serverName,
  verifyResult,
} from '../../src/routing/match-tls.ts'
import { octaviaPolicies } from '../../src/routing/octavia-policy.ts'
import { redirect, redirectPrefix, redirectScheme } from '../../src/routing/redirect.ts'
import { handle, maintenance, reject, respond, tarpit } from '../../src/routing/respond.ts'
import { rewriteOf } from '../../src/routing/rewrite.ts'
import { type Route, type RouteOrder, route } from '../../src/routing/route.ts'
import { router } from '../../src/routing/router.ts'
import { template } from '../../src/routing/template.ts'
import { between, contains, equals, matches, oneOf } from '../../src/routing/text-test.ts'
import { fakePool } from './fakes.ts'

const site = fakePool('site')

hostileOptionsSuite([
  { name: 'host', args: ['a.example', '*.b.example'], call: host },
  {
    name: 'hostText',
    args: [{ kind: 'contains', values: ['a'], ignoreCase: true }],
    call: hostText,
  },
  { name: 'path', args: ['/a', '/b/*'], call: path },
  { name: 'pathPrefix', args: ['/a'], call: pathPrefix },
  { name: 'pathSuffix', args: ['.a'], call: pathSuffix },
  { name: 'pathRegex', args: ['a', { ignoreCase: true }], call: pathRegex },
  { name: 'pathText', args: [{ kind: 'between', from: 1, to: 2 }], call: pathText },
  { name: 'fileType', args: ['jpg', 'png'], call: fileType },
  { name: 'method', args: ['GET'], call: method },
  {
    name: 'header',
    args: ['x-a', { kind: 'matches', pattern: 'a', ignoreCase: false }, { elements: true }],
    call: header,
  },
  { name: 'query', args: ['a', 'b'], call: query },
  { name: 'cookie', args: ['a', 'b'], call: cookie },
  { name: 'equals', args: [['a'], { ignoreCase: true }], call: equals },
  { name: 'contains', args: ['a'], call: contains },
  { name: 'oneOf', args: [['a', 'b']], call: oneOf },
  { name: 'matches', args: ['a', { ignoreCase: true }], call: matches },
  { name: 'between', args: [1, 2], call: between },
  { name: 'clientIn', args: ['10.0.0.0/8'], call: clientIn },
  { name: 'peerIn', args: ['10.0.0.0/8'], call: peerIn },
  { name: 'scheme', args: ['http'], call: scheme },
  { name: 'port', args: [80], call: port },
  { name: 'clientCertificate', args: [{ verified: true }], call: clientCertificate },
  { name: 'verifyResult', args: [0], call: verifyResult },
  { name: 'distinguishedName', args: ['CN', 'a', { of: 'issuer' }], call: distinguishedName },
  { name: 'serverName', args: ['a.example'], call: serverName },
  { name: 'grpc', args: [{ service: 'a.B', method: 'C' }], call: grpc },
  { name: 'any', args: [always, { kind: 'path', form: 'exact', values: ['/a'] }], call: any },
  { name: 'not', args: [{ kind: 'host', names: ['a'] }], call: not },
  { name: 'linearRegex', args: ['a', { ignoreCase: true, path: 'x' }], call: linearRegex },
  { name: 'template', args: ['%{host} %{header:x}', 'at'], call: template },
  {
    name: 'fieldChanges',
    args: [{ set: { a: 'b' }, add: { c: ['d'] }, remove: ['e'] }],
    call: fieldChanges,
  },
  {
    name: 'rewriteOf',
    args: [{ prefix: { from: '/a', to: '/b' }, host: 'x', query: '' }, always],
    call: rewriteOf,
  },
  {
    name: 'rewriteOf by regex',
    args: [{ regex: { pattern: '(a)', replace: '$1' } }, always],
    call: rewriteOf,
  },
  { name: 'redirect', args: ['/a', 302, { keepPath: true, keepQuery: false }], call: redirect },
  { name: 'redirectPrefix', args: ['/a', 301], call: redirectPrefix },
  { name: 'redirectScheme', args: ['https', 8443, 308], call: redirectScheme },
  {
    name: 'respond',
    args: [200, { headers: { a: ['b'] }, body: 'c', contentType: 'text/plain', reason: 'd' }],
    call: respond,
  },
  { name: 'reject', args: [403, { body: 'c' }], call: reject },
  { name: 'tarpit', args: ['5s', 500], call: tarpit },
  { name: 'maintenance', args: [{ retryAfter: '5s', headers: {}, body: 'x' }], call: maintenance },
  { name: 'handle', args: [() => undefined, 'name'], call: handle },
  { name: 'forward', args: [[{ pool: site, weight: 1 }], { sticky: 'a' }], call: forward },
  {
    name: 'route',
    args: [{ kind: 'all', of: [always] }, respond(200), { name: 'a', position: 1 }],
    call: route,
  },
  {
    name: 'router',
    args: [
      [{ match: always, action: respond(200), name: 'a', position: 1 }],
      'listed',
      () => undefined,
    ],
    call: (routes: readonly Route[], order: RouteOrder, onError: () => void) =>
      router(routes, { order, onError, compile: () => 1 }),
  },
  {
    name: 'octaviaPolicies',
    args: [
      [
        {
          id: 'i',
          name: 'n',
          action: 'REDIRECT_TO_POOL',
          redirect_pool_id: 'p',
          redirect_http_code: 302,
          position: 1,
          admin_state_up: true,
          rules: [
            {
              type: 'HEADER',
              compare_type: 'EQUAL_TO',
              key: 'k',
              value: 'v',
              invert: false,
              admin_state_up: true,
            },
          ],
        },
        {
          action: 'REDIRECT_TO_URL',
          redirect_url: 'https://a.example/',
          rules: [{ type: 'PATH', compare_type: 'REGEX', value: 'v' }],
        },
      ],
      new Map([['p', site]]),
      { path: 'l7', forward: {} },
    ],
    call: octaviaPolicies,
  },
])
