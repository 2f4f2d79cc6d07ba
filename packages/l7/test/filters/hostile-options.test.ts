import { hostileOptionsSuite, manualClock } from '@steelyard/testing'
import { basicAuth } from '../../src/filters/basic-auth.ts'
import { circuitBreaker } from '../../src/filters/circuit-breaker.ts'
import { concurrencyLimit } from '../../src/filters/concurrency-limit.ts'
import { cors } from '../../src/filters/cors.ts'
import { faultInjection } from '../../src/filters/fault-injection.ts'
import { forwardAuth } from '../../src/filters/forward-auth.ts'
import { hsts } from '../../src/filters/hsts.ts'
import { httpsRedirect } from '../../src/filters/https-redirect.ts'
import { ipAccess } from '../../src/filters/ip-access.ts'
import { jwtAuth } from '../../src/filters/jwt-auth.ts'
import { loadShedding } from '../../src/filters/load-shedding.ts'
import { eventLoopDelay } from '../../src/filters/load-signal.ts'
import { rateLimit } from '../../src/filters/rate-limit.ts'
import { requestId } from '../../src/filters/request-id.ts'

const clock = manualClock()
const refusal = { status: 418, body: 'no', responseHeaders: { 'x-a': 'b', 'x-c': ['d', 'e'] } }

hostileOptionsSuite([
  {
    name: 'rateLimit',
    args: [
      {
        ...refusal,
        limit: 5,
        window: '1m',
        algorithm: 'token-bucket',
        burst: 3,
        key: { client: { ipv4Prefix: 24, ipv6Prefix: 48 } },
        whenAbsent: 'client',
        cost: 2,
        queue: { length: 2, timeout: '1s', total: 5 },
        headers: 'both',
        name: 'policy',
        maxKeys: 10,
        whenFull: 'deny',
        onStoreFailure: 'deny',
        storeTimeout: '1s',
        clock,
      },
    ],
    call: rateLimit,
  },
  {
    name: 'rateLimit by header',
    args: [{ limit: 5, key: { header: 'x-key' }, store: { take: () => undefined } }],
    call: rateLimit,
  },
  { name: 'rateLimit by cookie', args: [{ limit: 5, key: { cookie: 'a' } }], call: rateLimit },
  { name: 'rateLimit by claim', args: [{ limit: 5, key: { claim: 'sub' } }], call: rateLimit },
  {
    name: 'circuitBreaker',
    args: [
      {
        ...refusal,
        thresholds: { connections: 1, pending: 1, requests: 1, retries: 1 },
        openWhen: { errorRatio: 0.5, errorCount: 1, slowRatio: 0.5, slowCount: 1, latency: '1s' },
        slowAfter: '1s',
        window: '1s',
        minRequests: 1,
        openFor: '1s',
        probes: 1,
        key: 'backend',
        maxCircuits: 5,
        clock,
      },
    ],
    call: circuitBreaker,
  },
  {
    name: 'concurrencyLimit',
    args: [
      {
        ...refusal,
        limit: 1,
        key: 'route',
        whenAbsent: 'skip',
        queue: { length: 1, timeout: '1s', total: 1 },
        retryAfter: '1s',
        clock,
      },
    ],
    call: concurrencyLimit,
  },
  {
    name: 'loadShedding',
    args: [
      {
        ...refusal,
        from: '1ms',
        to: '2ms',
        most: 0.5,
        priority: { web: 'low' },
        retryAfter: '1s',
      },
    ],
    call: loadShedding,
  },
  {
    name: 'eventLoopDelay',
    args: [{ interval: '10ms', smoothing: '1s', clock }],
    call: eventLoopDelay,
  },
  {
    name: 'faultInjection',
    args: [
      {
        delay: { percent: 5, range: ['1ms', '2ms'] },
        abort: { ...refusal, percent: 5, drop: false },
        header: { name: 'x-fault', value: 'on' },
        maxDelayed: 5,
        clock,
      },
    ],
    call: faultInjection,
  },
  {
    name: 'basicAuth',
    args: [
      {
        ...refusal,
        users: { ann: { plain: 'x' } },
        realm: 'r',
        userHeader: 'x-user',
        strip: true,
        cacheSize: 5,
        cacheFor: '1s',
        maxPending: 1,
        clock,
      },
    ],
    call: basicAuth,
  },
  {
    name: 'jwtAuth',
    args: [
      {
        body: 'no',
        responseHeaders: { 'x-a': 'b' },
        jwksUrl: 'https://issuer.example/keys',
        keysFreshFor: '1m',
        keysStaleFor: '1m',
        keysCooldown: '1m',
        keysTimeout: '1s',
        algorithms: ['RS256'],
        issuer: ['a'],
        audience: 'b',
        type: 'at+jwt',
        clockTolerance: '1s',
        maxAge: '1m',
        requiredClaims: ['exp'],
        claims: { scope: ['a'], n: 5 },
        from: [{ header: 'x-a', scheme: 'b' }, { cookie: 'c' }, { query: 'd' }],
        optional: true,
        claimHeaders: { 'x-user': 'sub' },
        strip: true,
        realm: 'r',
        maxTokenLength: 100,
        cacheSize: 5,
        cacheFor: '1m',
        clock,
      },
    ],
    call: jwtAuth,
  },
  {
    name: 'jwtAuth with a secret',
    args: [{ secret: 'x'.repeat(32), algorithms: ['HS256'] }],
    call: jwtAuth,
  },
  {
    name: 'jwtAuth with a set',
    args: [
      { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'a', y: 'b' }] }, algorithms: ['ES256'] },
    ],
    call: jwtAuth,
  },
  {
    name: 'forwardAuth',
    args: [
      {
        ...refusal,
        url: 'https://auth.example/',
        timeout: '1s',
        requestHeaders: ['cookie'],
        toBackend: ['x-user'],
        toClient: ['set-cookie'],
        maxBody: '1KiB',
        onFailure: 'allow',
        maxPending: 5,
        clock,
      },
    ],
    call: forwardAuth,
  },
  {
    name: 'cors',
    args: [
      {
        origins: ['https://a.example', 'https://*.b.example', /^https:/],
        methods: ['GET'],
        headers: ['x-a'],
        exposeHeaders: ['x-b'],
        credentials: true,
        maxAge: '1m',
        privateNetwork: true,
        preflightStatus: 200,
      },
    ],
    call: cors,
  },
  {
    name: 'ipAccess',
    args: [
      {
        ...refusal,
        allow: ['10.0.0.0/8'],
        deny: ['::1'],
        order: 'allow-first',
        by: 'both',
        drop: true,
      },
    ],
    call: ipAccess,
  },
  {
    name: 'hsts',
    args: [{ maxAge: '730d', includeSubDomains: true, preload: true, override: false }],
    call: hsts,
  },
  {
    name: 'httpsRedirect',
    args: [{ status: 301, port: 8443, except: ['/a'] }],
    call: httpsRedirect,
  },
  { name: 'requestId', args: [{ header: 'x-id', keep: 'always', respond: true }], call: requestId },
])
