import { isHttp } from './desired.ts'
import {
  allListenersOf,
  type Placed,
  type PlacedListener,
  type PoolDraft,
  poolsOf,
  terminationOf,
} from './document-objects.ts'
import type { Draft } from './draft.ts'
import type { FindingCode } from './finding-codes.ts'
import type { Inspection } from './inspection.ts'
import type { Path } from './path.ts'
import { actionNames } from './schema/http/action.ts'
import { forwardFields } from './schema/http/rule.ts'
import type { MeantDocument } from './schema.ts'

/** Options that make no sense together, which the schema alone cannot say. */
export function findMisfits(inspection: Inspection): void {
  for (const listener of allListenersOf(inspection.draft)) {
    placeOf(inspection, listener)
    if (listener.draft.protocol === 'udp') udpOf(inspection, listener)
    if (listener.draft.protocol === 'tls') tlsOf(inspection, listener)
    terminationMisfits(inspection, listener)
    httpOf(inspection, listener)
  }
  for (const pool of poolsOf(inspection.draft)) {
    loadOf(inspection, pool)
    headerOf(inspection, pool)
    upstreamOf(inspection, pool)
    if (pool.draft.tls !== undefined) versionsOf(inspection, pool.draft.tls, [...pool.path, 'tls'])
    if (pool.draft.health !== undefined) {
      checkOf(inspection, pool.draft.health, [...pool.path, 'health'])
    }
  }
}

function misfit(inspection: Inspection, path: Path, message: string, hint: string): void {
  inspection.report('option-not-applicable', undefined, path, message, hint)
}

function placeOf(inspection: Inspection, { path, draft }: PlacedListener): void {
  const hasPort = inspection.isWritten(path, 'port')
  const hasListen = inspection.isWritten(path, 'listen')
  if (hasPort && hasListen) {
    misfit(
      inspection,
      [...path, 'listen'],
      'the listener has a port and "listen", and can be in one place only',
      'remove one of the two',
    )
  } else if (!hasPort && !hasListen) {
    inspection.report(
      'missing-key',
      undefined,
      [...path, 'name'],
      'the listener has neither "port" nor "listen"',
      'add the port, for example "port: 6379"',
    )
  }
  if (draft.protocol === 'udp' && draft.listen?.startsWith('unix:') === true) {
    misfit(
      inspection,
      [...path, 'listen'],
      'UDP has no unix sockets here',
      'write a port, or a descriptor such as fd:3',
    )
  }
}

function udpOf(inspection: Inspection, { path, draft }: PlacedListener): void {
  if (draft.protocol !== 'udp') return
  if (draft.udp?.perPacket === true && draft.udp.sessionKey === 'source') {
    misfit(
      inspection,
      [...path, 'udp', 'sessionKey'],
      '"source" keeps a client on one member, and "perPacket" picks one for each datagram',
      'use one of the two',
    )
  }
}

function tlsOf(inspection: Inspection, { path, draft }: PlacedListener): void {
  if (draft.protocol !== 'tls' || draft.tls === undefined) return
  const { tls } = draft
  const hasTarget =
    inspection.isWritten(path, 'pool') ||
    inspection.isWritten(path, 'routes') ||
    typeof tls.absentName === 'object' ||
    typeof tls.encryptedName === 'object'
  if (!hasTarget) {
    inspection.report(
      'missing-key',
      undefined,
      [...path, 'name'],
      'the TLS listener has neither "pool" nor "routes"',
      'add the pool, for example "pool: web"',
    )
  }
}

function terminationMisfits(inspection: Inspection, { path, draft }: PlacedListener): void {
  const tls = terminationOf(draft)
  if (tls === undefined) return
  const at = [...path, 'tls']
  versionsOf(inspection, tls, at)
  const { mode, ca } = tls.clientAuth ?? {}
  if (mode !== undefined && mode !== 'none' && !inspection.isWritten([...at, 'clientAuth'], 'ca')) {
    inspection.report(
      'missing-key',
      undefined,
      [...at, 'clientAuth', 'mode'],
      `client certificates are ${mode}, but nobody is named who signs them`,
      'add "ca", a PEM file with the authorities',
    )
  } else if (mode === 'none' && ca !== undefined) {
    misfit(
      inspection,
      [...at, 'clientAuth', 'ca'],
      'no client certificate is asked for, so nobody is needed who signs them',
      'remove it, or choose the mode "optional" or "required"',
    )
  }
}

/** A rule does one thing, and a listener for HTTP does something with a request. */
function httpOf(inspection: Inspection, { path, draft }: PlacedListener): void {
  if (!isHttp(draft)) return
  const hasTarget = (['pool', 'rules', 'policies'] as const).some((key) =>
    inspection.isWritten(path, key),
  )
  if (!hasTarget) {
    inspection.report(
      'missing-key',
      undefined,
      [...path, 'name'],
      'the HTTP listener has neither "pool" nor "rules"',
      'add the pool, for example "pool: web"',
    )
  }
  draft.rules?.forEach((rule, index) => {
    if (rule === undefined) return
    const at = [...path, 'rules', index]
    const given = actionNames.filter((name) =>
      name === 'drop' ? rule.drop === true : inspection.isWritten(at, name),
    )
    if (given.length === 0) {
      const hint = `give it one of ${actionNames.join(', ')}`
      inspection.report('missing-key', undefined, [...at, 'name'], 'the rule does nothing', hint)
    } else if (given.length > 1) {
      const hint = 'a rule does one thing: remove one of the two'
      misfit(inspection, [...at, given[1]!], `the rule has "${given[0]}" and "${given[1]}"`, hint)
    } else if (given[0] !== 'pool' && given[0] !== 'pools') {
      for (const option of forwardOnly) {
        if (!inspection.isWritten(at, option)) continue
        misfit(
          inspection,
          [...at, option],
          `"${option}" is for rules that send to a pool, and this one has "${given[0]}"`,
          'remove it',
        )
      }
    }
    if (rule.sticky !== undefined && given[0] === 'pool') {
      misfit(
        inspection,
        [...at, 'sticky'],
        '"sticky" is for rules with several pools',
        'use "pools"',
      )
    }
  })
}

const forwardOnly = Object.keys(forwardFields)

function versionsOf(
  inspection: Inspection,
  tls: { readonly minVersion?: string | undefined; readonly maxVersion?: string | undefined },
  path: Path,
): void {
  if (tls.minVersion === 'TLSv1.3' && tls.maxVersion === 'TLSv1.2') {
    misfit(
      inspection,
      [...path, 'maxVersion'],
      'the highest version of TLS is below the lowest',
      'make maxVersion TLSv1.3, or minVersion TLSv1.2',
    )
  }
}

function loadOf(inspection: Inspection, { path, draft }: Placed<PoolDraft>): void {
  const { boundedLoad = 0 } = draft
  if (boundedLoad > 0 && boundedLoad <= 1) {
    inspection.report(
      'out-of-range',
      undefined,
      [...path, 'boundedLoad'],
      `the bounded load must be above 1, or 0 for off, not ${boundedLoad}`,
      'use 1.25 to 2: how much more than its share a member may get',
    )
  }
}

function upstreamOf(inspection: Inspection, { path, draft }: Placed<PoolDraft>): void {
  const { protocol } = draft.upstream ?? {}
  if (protocol === undefined || protocol === 'http/1.1') return
  if (protocol === 'auto' && !inspection.isWritten(path, 'tls')) {
    misfit(
      inspection,
      [...path, 'upstream', 'protocol'],
      '"auto" is agreed on by TLS, and the pool has no "tls"',
      'add "tls", or choose http/1.1 or h2',
    )
  }
  if (inspection.isWritten([...path, 'tls'], 'alpn')) {
    misfit(
      inspection,
      [...path, 'tls', 'alpn'],
      `the protocols follow from upstream.protocol, which is ${protocol}`,
      'remove it',
    )
  }
}

function headerOf(inspection: Inspection, { path, draft }: Placed<PoolDraft>): void {
  const header = draft.proxyProtocol
  if (typeof header !== 'object') return
  const at = [...path, 'proxyProtocol']
  for (const option of ['passTlvs', 'tlsFacts', 'crc32c', 'tlvs'] as const) {
    if (header.version === 'v1' && inspection.isWritten(at, option)) {
      misfit(
        inspection,
        [...at, option],
        `version 1 of the PROXY protocol has no room for "${option}"`,
        'remove it, or use v2',
      )
    }
  }
  header.tlvs?.forEach((tlv, index) => {
    const place = [...at, 'tlvs', index]
    if (tlv === undefined) return
    const values = ['text', 'hex'].filter((key) => inspection.isWritten(place, key))
    if (values.length === 1) return
    misfit(
      inspection,
      values.length === 0 ? place : [...place, 'hex'],
      `the TLV has ${values.length === 0 ? 'no value' : 'two values'}`,
      'give it one, as "text" or as "hex"',
    )
  })
}

type HealthDraft = Draft<NonNullable<MeantDocument['pools'][number]['health']>>
type PartDraft = Draft<
  Extract<
    NonNullable<MeantDocument['pools'][number]['health']>,
    { type: 'all-of' }
  >['checks'][number]
>

function checkOf(inspection: Inspection, check: HealthDraft | PartDraft, path: Path): void {
  const report = (code: FindingCode, place: Path, message: string, hint: string): void =>
    inspection.report(code, undefined, place, message, hint)
  switch (check.type) {
    case 'all-of':
    case 'any-of':
    case 'at-least': {
      check.checks?.forEach((part, index) => {
        if (part !== undefined) checkOf(inspection, part, [...path, 'checks', index])
      })
      const parts = check.checks?.length
      if (
        check.type === 'at-least' &&
        check.count !== undefined &&
        parts !== undefined &&
        check.count > parts
      ) {
        report(
          'out-of-range',
          [...path, 'count'],
          `${check.count} of ${parts} checks can not pass`,
          `use 1 to ${parts}`,
        )
      }
      return
    }
    case 'udp':
      if (check.mode === 'no-icmp-error' && check.expect !== undefined) {
        misfit(
          inspection,
          [...path, 'expect'],
          'an answer is expected, but the mode "no-icmp-error" waits for none',
          'remove it, or choose the mode "reply"',
        )
      }
      return
    case 'script':
      if (check.command?.includes('/') === true && !check.command.startsWith('/')) {
        report(
          'invalid-value',
          [...path, 'command'],
          `"${check.command}" depends on the current directory`,
          'write an absolute path, or a bare name that is found by PATH',
        )
      }
      return
    case 'tcp-script':
    case 'tls':
      check.steps?.forEach((step, index) => {
        const at = [...path, 'steps', index]
        if (
          step === undefined ||
          inspection.isWritten(at, 'send') ||
          inspection.isWritten(at, 'expect')
        ) {
          return
        }
        report('missing-key', at, 'the step does nothing', 'give it "send", "expect", or both')
      })
      return
    default:
  }
}
