/** A document with HTTP listeners that uses most of their options, for tests that change one thing in it. */
export const httpDocument = `version: 1
node: { name: edge }
loadBalancers:
  - name: web
    vip: 127.0.0.1
    listeners:
      - name: plain
        protocol: http
        port: 80
        rules:
          - name: secure
            match: { not: { path: /.well-known/* } }
            redirect: { scheme: https, status: 301 }
      - name: secure
        protocol: https
        port: 443
        pool: site
        tls:
          certificates: [{ cert: www.pem, key: www.key }]
          clientAuth: { mode: optional, ca: www.pem }
        order: specific
        trustedProxies: [10.0.0.0/24]
        timeouts: { head: 5s, keepAlive: 60s, body: 10s, bodyRate: 100, queue: 1s, connect: 1s, firstByte: 30s, idle: 30s, total: 5m, tunnel: 10m }
        retries: { attempts: 2, on: [connect, reset, 503, 5xx], perTry: 2s, backoff: { base: 10ms, max: 1s }, bodyBytes: 1KiB }
        limits: { head: 8KiB, line: 4KiB, lines: 50, body: 10MiB, requests: 1000 }
        gate: { encodedSlash: keep, mergeSlashes: true, underscores: keep, unexpectedBody: reject, maxPathLength: 2KiB, upgrades: [websocket] }
        forwarding: { forwarded: both, fields: [for, proto], certificate: [cn], via: both, pseudonym: edge, maxLoops: 3 }
        http2: { maxConcurrentStreams: 64, maxStreams: 1000, streamWindow: 128KiB }
        errorPages: { "503": "<h1>%{status}</h1>", 4xx: { json: '{"error":"%{reason}"}', status: 404 }, default: { text: "%{status}" } }
        accessLog: { format: json, fields: [time, status], percent: 50 }
        headers: { response: { remove: [server] } }
        persistence: { type: header, name: x-session, learn: both }
        connectionLimit: 10000
        whenDown: reset
        filters:
          requestId: { header: x-id, keep: never, respond: false }
          ipAccess: { deny: [192.0.2.0/24], by: peer, drop: true }
          cors: { origins: ["https://*.example.com"], methods: [GET], maxAge: 1h }
          loadShedding: { from: 20ms, to: 200ms, priority: { login: critical } }
          rateLimit:
            - { name: all, limit: 1000, window: 1s, burst: 100, key: client }
            - { name: key, limit: 10, window: 1m, key: "header:x-api-key", whenAbsent: refuse, algorithm: sliding-window }
          concurrencyLimit: { limit: 100, key: client, queue: { length: 10, timeout: 1s } }
          circuitBreaker: { key: backend, thresholds: { requests: 500 }, openWhen: { errorRatio: 0.3 }, openFor: 10s }
          bufferRequest: { maxBytes: 64KiB }
          responseLimit: 1GiB
          bandwidth: { bytesPerSecond: 10MiB, direction: response }
          compression: { codings: [br, gzip], types: [text/*], minBytes: 1KiB, levels: { gzip: 6 } }
          rewriteLocation: { map: [{ from: /inner/, to: / }], cookies: { secure: auto } }
          mirror: { pool: canary, percent: 5 }
          hsts: { maxAge: 365d, includeSubDomains: true }
        rules:
          - name: login
            match: { host: [www.example.com, "*.example.org"], path: { exact: /login }, method: [POST] }
            pool: site
            timeouts: { firstByte: 5s }
            retries: { attempts: 0 }
            maxBody: 1KiB
            filters: { basicAuth: { users: { ops: "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g" } } }
          - name: canary
            match:
              all: [{ path: { prefix: /v1 } }, { any: [{ headers: { x-canary: "yes" } }, { cookies: { beta: { present: true } } }] }]
              query: { v: { between: [1, 9] } }
              clientIn: [10.0.0.0/8]
            pools: [{ pool: site, weight: 90 }, { pool: canary, weight: 10 }]
            sticky: side
            rewrite: { regex: { pattern: "^/v1/(.*)", replace: "/$1" }, host: backend, query: "c=%{client}" }
            headers: { request: { set: { x-host: "%{host}" }, remove: [x-secret] } }
            hashKey: ["header:x-tenant", "segments:2"]
            upgrades: [websocket]
          - name: calls
            match: { grpc: { service: store.Orders, method: List } }
            pool: grpc
          - name: mine
            match: { tls: { certificate: verified, subject: { CN: { startsWith: ops } }, serverName: [www.example.com] }, scheme: https, ports: [443], peerIn: [127.0.0.0/8] }
            respond: { status: 200, body: hello, headers: { x-a: b } }
          - { name: off, match: { path: { fileType: [php, asp] } }, reject: { status: 404 } }
          - { name: trap, match: { path: { regex: "^/wp-" } }, tarpit: { delay: 5s, status: 500 } }
          - { name: gone, match: { path: { suffix: .bak, ignoreCase: true } }, drop: true }
          - { name: closed, match: { host: { endsWith: .old } }, maintenance: { retryAfter: 1h } }
          - { name: moved, match: { path: /old/* }, redirect: { to: "https://%{host}/new/", status: 308 } }
          - { name: idle, enabled: false, match: { path: /idle }, pool: site }
        policies:
          - name: api
            position: 2
            action: REDIRECT_TO_POOL
            redirectPool: site
            rules:
              - { type: PATH, compareType: STARTS_WITH, value: /api }
              - { type: SSL_DN_FIELD, key: CN, compareType: EQUAL_TO, value: x, invert: true }
          - { name: out, action: REDIRECT_TO_URL, redirectUrl: "https://example.com/", redirectHttpCode: 303, rules: [{ type: HOST_NAME, compareType: REGEX, value: "^out\\\\." }] }
      - { name: h2c, protocol: h2c, port: 8080, pool: grpc }
pools:
  - { name: site, members: [10.0.0.1:80], algorithm: maglev, upstream: { reuse: always, maxIdle: 10, idleTimeout: 5s, maxLifetime: 1m, maxRequests: 100 } }
  - { name: canary, members: [10.0.0.2:80], upstream: { reuse: always, maxIdle: 10, idleTimeout: 5s, maxLifetime: 1m, maxRequests: 100 } }
  - { name: grpc, members: [10.0.0.3:80], upstream: { protocol: h2, maxStreams: 50, maxSessions: 2 } }
`
