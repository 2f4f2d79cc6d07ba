import { isHttp } from './desired.ts'
import {
  allListenersOf,
  type Placed,
  type PlacedListener,
  type PoolDraft,
  poolReferencesOf,
  poolsOf,
  terminationOf,
} from './document-objects.ts'
import type { DocumentObject, Inspection } from './inspection.ts'
import { firstByName } from './references.ts'

/** What must be true of one listener and the pools that it names. */
export function findListenerProblems(inspection: Inspection): void {
  const pools = firstByName(poolsOf(inspection.draft))
  for (const listener of allListenersOf(inspection.draft)) {
    missingAddress(inspection, listener)
    certificates(inspection, listener)
    shadowedRoutes(inspection, listener)
    const named = poolReferencesOf(listener).flatMap(({ pool, path, by }) => {
      const found = pools.get(pool)
      return found === undefined ? [] : [{ pool: found, path, by }]
    })
    if (listener.draft.protocol === 'udp') poolsForUdp(inspection, listener, named)
    if (isHttp(listener.draft)) poolsForHttp(inspection, named)
    encryptedTwice(inspection, listener, named)
  }
}

interface NamedPool {
  readonly pool: Placed<PoolDraft>
  /** Where the listener names it. */
  readonly path: readonly (string | number)[]
  readonly by: DocumentObject
}

function missingAddress(inspection: Inspection, listener: PlacedListener): void {
  const { draft, owner, path } = listener
  if (draft.port === undefined || owner.draft.vip !== undefined) return
  if (inspection.isWritten(owner.path, 'vip')) return
  inspection.report(
    'vip-missing',
    listener,
    [...path, 'port'],
    `port ${draft.port} has no address: the load balancer "${owner.name}" has no "vip"`,
    'add one to the load balancer, for example "vip: 127.0.0.1" or "vip: { pool: local }"',
  )
}

function certificates(inspection: Inspection, listener: PlacedListener): void {
  const { draft, path } = listener
  if (terminationOf(draft)?.certificates?.length !== 0) return
  inspection.report(
    'certificate-missing',
    listener,
    [...path, 'tls', ...(draft.protocol === 'tls' ? ['mode'] : [])],
    'TLS is to be terminated here, but there is no certificate',
    'add one: "certificates: [{ cert: FILE, key: FILE }]"',
  )
}

function shadowedRoutes(inspection: Inspection, listener: PlacedListener): void {
  const { draft, path } = listener
  if (draft.protocol !== 'tls') return
  const byName = new Map<string, (readonly (string | undefined)[])[]>()
  draft.routes?.forEach((route, index) => {
    const alpn = route?.alpn ?? []
    route?.sni?.forEach((name, at) => {
      if (name === undefined) return
      const earlier = byName.get(name) ?? []
      if (earlier.some((one) => covers(one, alpn))) {
        inspection.report(
          'route-shadowed',
          listener,
          [...path, 'routes', index, 'sni', at],
          `an earlier route takes all clients that ask for "${name}"`,
          'remove the name from one of the two, or tell them apart by "alpn"',
        )
      }
      byName.set(name, [...earlier, alpn])
    })
  })
}

/** Does the earlier route take every client that the later one could? No protocols means any. */
function covers(earlier: readonly unknown[], later: readonly unknown[]): boolean {
  if (earlier.length === 0) return true
  return later.length > 0 && later.every((protocol) => earlier.includes(protocol))
}

function poolsForUdp(
  inspection: Inspection,
  listener: PlacedListener,
  named: readonly NamedPool[],
): void {
  for (const { pool, path } of named) {
    const option = (['tls', 'proxyProtocol'] as const).find((key) => pool.draft[key] !== undefined)
    if (option === undefined) continue
    inspection.report(
      'pool-not-for-udp',
      listener,
      path,
      `the pool "${pool.name}" has "${option}", which is for connections and not for UDP`,
      'make a pool without it for the UDP listener',
    )
  }
}

function poolsForHttp(inspection: Inspection, named: readonly NamedPool[]): void {
  for (const { pool, path, by } of named) {
    const header = pool.draft.proxyProtocol
    if (typeof header !== 'object') continue
    const option = (['passTlvs', 'tlsFacts', 'crc32c'] as const).find((key) => header[key] === true)
    const isPlain = option === undefined && (header.tlvs ?? []).length === 0
    if (isPlain) continue
    inspection.report(
      'pool-not-for-http',
      by,
      path,
      `the pool "${pool.name}" has "proxyProtocol.${option ?? 'tlvs'}", which is for plain connections and not for HTTP`,
      'make a pool without it for the HTTP listener',
    )
  }
}

function encryptedTwice(
  inspection: Inspection,
  listener: PlacedListener,
  named: readonly NamedPool[],
): void {
  const { draft } = listener
  if (draft.protocol !== 'tls' || draft.tls?.mode !== 'passthrough') return
  const encrypting = named.find(({ pool }) => pool.draft.tls !== undefined)
  if (encrypting === undefined) return
  inspection.report(
    'tls-twice',
    listener,
    encrypting.path,
    `TLS passes through untouched here, and the pool "${encrypting.pool.name}" would encrypt it once more`,
    'remove "tls" from the pool, or terminate TLS in the listener',
  )
}
