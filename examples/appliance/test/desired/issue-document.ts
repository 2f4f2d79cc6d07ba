/** The document of the project's first appliance, as printed in its description. */
export const issueDocument = `version: 1
node: { name: lb-a }
admin: { listen: 127.0.0.1:9901 }
addressPools:
  - { name: local, addresses: [127.0.0.10-127.0.0.20] }
loadBalancers:
  - name: cache
    vip: { pool: local }                 # or a plain address
    listeners:
      - name: redis
        protocol: tcp                    # tcp | udp | tls
        port: 6379
        pool: redis
        acl: { allow: [127.0.0.0/8] }
        connectionLimit: 20000
        timeouts: { connect: 5s, client: 50s, server: 50s }
pools:
  - name: redis
    algorithm: source-hash
    members:
      - { address: 127.0.0.1:7001, weight: 2 }
      - { address: 127.0.0.1:7002 }
      - { address: 127.0.0.1:7003, backup: true }
    health: { type: tcp, interval: 2s, timeout: 500ms, rise: 2, fall: 3 }
    persistence: { type: source-ip, timeout: 5m }
`

/** A document that uses every section, for tests that change one thing in it. */
export const fullDocument = `version: 1
node: { name: lb-a, connectionLimit: 100000, drain: 1m, logLevel: warn }
admin: { listen: "unix:/run/steelyard/admin.sock", readOnly: true }
addressPools:
  - { name: local, addresses: [127.0.0.10-127.0.0.20], exclude: [127.0.0.11] }
  - { name: six, addresses: ["2001:db8::/120"], skipNetworkAndBroadcast: true }
loadBalancers:
  - name: cache
    vip: { pool: local, address: 127.0.0.12 }
    listeners:
      - name: redis
        protocol: tcp
        port: 6379
        pool: redis
        acl: { allow: [127.0.0.0/8], deny: [127.6.0.0/16], default: deny }
        connectionLimit: 20000
        timeouts: { connect: 5s, client: 50s, server: 50s, total: 1h, preread: 3s, queue: 2s, halfClosed: 30s }
        retries: { max: 2, budget: { percent: 25, window: 5s } }
        bandwidth: 10MiB
        keepAlive: 1m
        reusePort: true
        backlog: 1024
        sourceAddresses: [127.0.0.5]
        proxyProtocol: { accept: { from: [10.0.0.0/24], untrusted: direct, versions: [v2] } }
        whenDown: reset
        drain: 10s
      - { name: socket, protocol: tcp, listen: "unix:/run/x.sock", pool: redis }
      - { name: inherited, protocol: tcp, listen: "fd:redis", pool: redis }
  - name: names
    vip: { pool: local, share: dns }
    listeners:
      - name: dns
        protocol: udp
        port: 53
        pool: dns
        udp: { sessionKey: source, expectedReplies: 1, idleTimeout: 5s, maxSessions: 100, buffers: { receive: 8MiB } }
  - name: web
    vip: { pool: six }
    listeners:
      - name: pass
        protocol: tls
        port: 443
        pool: web
        tls: { mode: passthrough, absentName: reject, encryptedName: { pool: ech } }
        routes:
          - { sni: [a.example.com, "*.b.example.com"], pool: web }
          - { sni: [a2.example.com], alpn: [acme-tls/1], pool: ech }
      - name: term
        protocol: tls
        port: 8443
        pool: app
        tls:
          mode: terminate
          certificates: [{ cert: www.pem, key: www.key, names: [www.example.com] }]
          minVersion: TLSv1.3
          alpn: [h2, http/1.1]
          clientAuth: { mode: required, ca: www.pem }
pools:
  - name: redis
    algorithm: { type: source-hash, consistent: true }
    members:
      - { address: 127.0.0.1:7001, weight: 2, health: { port: 7101 }, labels: { rack: r12 } }
      - 127.0.0.1:7002
      - { address: "[::1]:7003", backup: true, id: third, maxConnections: 100, state: draining }
    health: { type: tcp-script, steps: [{ send: "PING\\r\\n", expect: "+PONG" }], interval: 2s, timeout: 500ms }
    persistence: { type: source-ip, timeout: 5m, ipv4Prefix: 24 }
    outlier: { consecutiveFailures: 3, baseEjection: 10s }
    proxyProtocol: { version: v2, tlsFacts: true, tlvs: [{ type: 224, text: lb-a }] }
    quorum: 50%
    hysteresis: 1
    slowStart: 30s
    boundedLoad: 1.25
    whenEmpty: all
    queueLimit: 10
  - { name: dns, algorithm: maglev, members: [127.0.0.1:5301], health: { type: udp, mode: reply, send: { hex: 00 01 } } }
  - name: web
    members: [10.0.0.1:443]
    health:
      type: all-of
      checks: [{ type: tls, verify: true }, { type: https, path: /x, timeout: 1s, expect: [200-299, 304] }]
  - { name: ech, members: [10.0.0.2:443], health: { type: script, command: check, args: [a, b] } }
  - name: app
    members: [10.0.0.3:443]
    tls: { ca: www.pem, serverName: app.internal }
    health: { type: http, port: 8080, expectBody: { regex: ok }, expectHeaders: { server: { regex: ^x } } }
`
