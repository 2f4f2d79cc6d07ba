import { readFileSync } from 'node:fs'
import { pool, silentLog, systemClock } from '@steelyard/core'
import { healthMonitor } from '@steelyard/health'
import { connectionLimit, tcpBalancer, udpBalancer } from '@steelyard/l4'
import { describe, expect, test } from 'vitest'
import { formatFindings } from '../../src/commands/format-findings.ts'
import {
  type Desired,
  type DesiredListener,
  type DesiredPool,
  isHttp,
} from '../../src/desired/desired.ts'
import { type JsonSchema, jsonOf, variantOf } from '../../src/desired/json-schema.ts'
import { load } from '../../src/desired/resolve.ts'
import { healthSchema } from '../../src/desired/schema/health.ts'
import { listenerSchema } from '../../src/desired/schema/listener.ts'
import { poolSchema } from '../../src/desired/schema/pool.ts'
import { datagramOptions, listenOf, streamOptions } from '../../src/runtime/build-listener.ts'
import { membersOf, policyOf, poolParts } from '../../src/runtime/build-pool.ts'
import type { FileReader } from '../../src/runtime/file-reader.ts'

const vectors = new URL('../../../../packages/l4/test/vectors/tls/', import.meta.url)
const files: FileReader = {
  read: (path) => readFileSync(new URL(path, vectors), 'utf8'),
  bytes: () => new Uint8Array(48),
  firstLine: () => 'open-sesame',
}
const sockets = { descriptor: (wanted: number | string): number => Number(wanted) }
const pair = '{ cert: chained.pem, key: chained-locked-key.pem, passphraseFile: chained.pass }'
const schedule =
  'interval: 7s, fastInterval: 3s, downInterval: 9s, timeout: 2s, rise: 4, fall: 5, initial: up'
const place = 'address: 127.0.0.9, port: 99'
const tls = `verify: true, serverName: x.example, ca: ca.pem, certificate: ${pair}, minVersion: TLSv1.3, warnBefore: 3d`
const http =
  'method: HEAD, path: /x, host: x, headers: { a: b }, body: x, expect: 204, expectBody: x, expectHeaders: { a: { regex: x } }, maxBody: 99, keepAlive: false, http2: true, source: 127.0.0.3'
const talk = 'steps: [{ send: a, expect: b }], maxBytes: 99, source: 127.0.0.3'
const checks = [
  `{ type: tcp, source: 127.0.0.3, close: fin, ${place}, ${schedule} }`,
  `{ type: tcp-script, ${talk}, ${place}, ${schedule} }`,
  `{ type: tls, ${tls}, alpn: [h2], ${talk}, ${place}, ${schedule} }`,
  `{ type: http, ${http}, ${place}, ${schedule} }`,
  `{ type: https, ${http}, ${tls}, ${place}, ${schedule} }`,
  `{ type: udp, mode: reply, send: a, expect: b, source: 127.0.0.3, ${place}, ${schedule} }`,
  `{ type: script, command: /bin/true, args: [x], env: { A: b }, cwd: /tmp, ${place}, ${schedule} }`,
  `{ type: all-of, checks: [{ type: tcp, timeout: 1s, source: 127.0.0.3, close: fin, ${place} }], ${schedule} }`,
  `{ type: any-of, checks: [{ type: tcp }], ${schedule} }`,
  `{ type: at-least, count: 1, checks: [{ type: tcp }], ${schedule} }`,
]

const stream = `        ipv6Only: true
        pool: p0
        acl: { allow: [10.0.0.0/8], deny: [10.1.0.0/16], default: deny }
        connectionLimit: 7
        timeouts: { connect: 1s, client: 2s, server: 3s, total: 4s, preread: 5s, queue: 6s, halfClosed: 7s }
        retries: { max: 2, budget: { percent: 25, window: 5s, minimum: 9 } }
        bandwidth: { fromClient: 10MiB, toClient: 11MiB }
        keepAlive: 1m
        reusePort: true
        backlog: 1024
        sourceAddresses: [127.0.0.5]
        proxyProtocol: { accept: { from: [10.0.0.0/24], untrusted: direct, versions: [v2] } }
        whenDown: reset
        drain: 10s`

/** Every option that there is, each one with another value than its default. */
const everything = `version: 1
node: { name: all }
loadBalancers:
  - name: lb
    vip: "::"
    listeners:
      - name: tcp
        protocol: tcp
        port: 1
${stream}
      - name: tls
        protocol: tls
        port: 2
${stream}
        routes: [{ sni: [a.example], alpn: [h2], pool: p0 }]
        tls:
          mode: terminate
          certificates:
            - { cert: chained.pem, key: chained-locked-key.pem, passphraseFile: chained.pass, chain: inter.pem, names: [x.example], default: true }
          unknownName: reject
          minVersion: TLSv1.3
          maxVersion: TLSv1.3
          ciphers: TLS_AES_128_GCM_SHA256
          alpn: [h2]
          alpnMismatch: ignore
          groups: P-256
          tickets: false
          ticketKeys: ticket.key
          sessionTimeout: 1h
          clientAuth: { mode: optional, ca: ca.pem }
          absentName: reject
          encryptedName: { pool: p1 }
      - name: udp
        protocol: udp
        port: 3
        ipv6Only: true
        pool: plain
        acl: { allow: [10.0.0.0/8], deny: [10.1.0.0/16], default: deny }
        reusePort: true
        sourceAddresses: [127.0.0.5]
        drain: 10s
        udp:
          sessionKey: source
          idleTimeout: 5s
          expectedReplies: 1
          perPacket: false
          maxSessions: 100
          buffers: { datagrams: 3, bytes: 1KiB, total: 2KiB, receive: 8MiB, send: 9MiB }
          whenDown: keep
          whenDraining: move
pools:
${checks
  .map(
    (check, index) => `  - name: p${index}
    algorithm: { type: source-hash, consistent: true }
    members: [{ id: m, address: 127.0.0.1:81, weight: 2, backup: true, maxConnections: 3, state: draining, labels: { a: b }, health: { address: 127.0.0.8, port: 98 } }]
    health: ${check}
    outlier: { consecutiveFailures: 3, baseEjection: 10s, maxEjection: 1h, maxEjectedPercent: 50, atLeastOne: false, jitter: 1s, readmitOnCheck: false }
    persistence: { type: source-ip, timeout: 9m, ipv4Prefix: 24, ipv6Prefix: 64, maxEntries: 10, whenDraining: keep }
    quorum: 50%
    hysteresis: 1
    whenEmpty: all
    slowStart: 30s
    boundedLoad: 1.25
    queueLimit: 10
    proxyProtocol: { version: v2, passTlvs: true, tlsFacts: true, crc32c: true, tlvs: [{ type: 224, text: x }, { type: 225, hex: "00" }] }
    tls: { verify: false, ca: ca.pem, serverName: x.example, certificate: ${pair}, minVersion: TLSv1.3, maxVersion: TLSv1.3, ciphers: TLS_AES_128_GCM_SHA256, alpn: [h2], handshakeTimeout: 3s, sessions: 5 }
`,
  )
  .join('')}  - { name: plain, members: [127.0.0.1:81] }
`

/** A copy of plain data that remembers what was looked at, down to the single option. */
function watched<T>(value: T, seen: Set<string>, path = ''): T {
  if (typeof value !== 'object' || value === null) return value
  const copy = Array.isArray(value) ? [...(value as unknown[])] : { ...value }
  return new Proxy(copy, {
    get(target, name, receiver) {
      const found: unknown = Reflect.get(target, name, receiver)
      if (typeof name !== 'string' || !Object.hasOwn(target, name)) return found
      const below = path === '' ? name : `${path}.${name}`
      seen.add(below)
      return watched(found, seen, below)
    },
  }) as T
}

/** Every path of a value, those of list items once, without what comes from keys of the author's choice. */
function pathsOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([name, item]) =>
    pathsOf(item, path === '' ? name : `${path}.${name}`),
  )
}

/** Options that the schema knows and the value does not have: the document above has to be completed. */
function absent(schema: JsonSchema | undefined, value: unknown, path = ''): string[] {
  if (schema === undefined || typeof value !== 'object' || value === null) return []
  const { discriminator } = schema
  if (discriminator !== undefined) {
    const word = (value as Record<string, unknown>)[discriminator.propertyName]
    return absent(variantOf(schema, word), value, path)
  }
  if (Array.isArray(value)) {
    const items = schema.items ?? schema.anyOf?.find((one) => one.items !== undefined)?.items
    return [...new Set(value.flatMap((item) => absent(items, item, `${path}[]`)))]
  }
  const own = schema.properties ?? schema.anyOf?.find((one) => one.properties)?.properties
  return Object.entries(own ?? {}).flatMap(([name, inner]) => {
    const below = path === '' ? name : `${path}.${name}`
    const found = (value as Record<string, unknown>)[name]
    return found === undefined ? [below] : absent(inner, found, below)
  })
}

const { desired, findings } = load(everything, 'everything.yaml')
if (desired === undefined) throw new Error(formatFindings(findings))
const all: Desired = desired
const monitor = healthMonitor()

function madePool(one: DesiredPool): ReturnType<typeof pool> {
  const parts = poolParts(one, { monitor, files, clock: systemClock })
  const { name, queueLimit } = one
  return pool({ name, queueLimit, backends: membersOf(one), ...policyOf(one, parts) })
}

const surroundings = (pools: (name: string) => DesiredPool) => ({
  files,
  sockets,
  secret: new Uint8Array(32),
  pool: (name: string) => {
    const found = pools(name)
    return { pool: madePool(found), desired: found }
  },
})

function build(listener: DesiredListener, pools = (name: string) => all.pools[name]!): void {
  const common = { listen: listenOf(listener, sockets), log: silentLog }
  if (listener.protocol === 'udp') {
    udpBalancer({ ...common, ...datagramOptions(listener, surroundings(pools)) })
  } else if (!isHttp(listener)) {
    const options = streamOptions(listener, surroundings(pools))
    tcpBalancer({ ...common, ...options, nodeLimit: connectionLimit(0) })
  }
}

/** What is of no concern to the builders: names, and when things end, which the data plane sees to. */
const elsewhere = /^(?:id|name|loadBalancer|drain|enabled|port|listen|binding\.kind)$/

describe('every option of a document reaches what it is for', () => {
  test('the document has every option, and is good', () => {
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
    for (const listener of Object.values(all.listeners)) {
      const left = absent(jsonOf(listenerSchema), listener)
      // Written as a place; and a list of revoked certificates, or an OCSP response, would need a file of its own.
      const known =
        /^(?:tls\.certificates\[\]\.ocsp|port|listen|ipv6Only|enabled|tls\.clientAuth\.crl)$/
      expect(left.filter((path) => !known.test(path))).toEqual([])
    }
    for (const one of Object.values(all.pools)) {
      if (one.name === 'plain') continue
      const left = absent(jsonOf(poolSchema), { ...one, members: Object.values(one.members) })
      expect(
        left.filter(
          (path) =>
            !/^upstream$|^proxyProtocol\.tlvs\[\]\.(?:text|hex)$|^health\.checks\[\]/.test(path),
        ),
      ).toEqual([])
      if (one.health !== undefined && !('checks' in one.health)) {
        expect(absent(jsonOf(healthSchema), one.health)).toEqual([])
      }
    }
    const kinds = Object.values(all.pools).map(({ health }) => health?.type)
    for (const { properties } of jsonOf(healthSchema).anyOf ?? []) {
      expect(kinds).toContain(properties?.['type']?.const)
    }
  })

  test.each(Object.values(all.listeners))('of the listener $id', (listener) => {
    const seen = new Set<string>()
    build(watched(listener, seen))
    const unread = pathsOf(listener).filter((path) => !seen.has(path) && !elsewhere.test(path))
    expect(unread).toEqual([])
  })

  test.each(Object.values(all.pools))('of the pool $name', (one) => {
    const seen = new Set<string>()
    const spied = watched(one, seen)
    madePool(spied)
    build(all.listeners['lb/tcp']!, () => spied)
    // Labels are for people.
    const known = /^name$|\.labels\./
    const unread = pathsOf(one).filter((path) => !seen.has(path) && !known.test(path))
    expect(unread).toEqual([])
  })
})
