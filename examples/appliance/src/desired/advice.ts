import { tryParseAddress } from '@steelyard/core/ip'
import { endpointBinding } from './binding.ts'
import { allListenersOf, poolReferencesOf, poolsOf } from './document-objects.ts'
import type { Inspection } from './inspection.ts'

/** What is allowed but probably not meant; asked only of a document without errors, which would explain it. */
export function findAdvice(inspection: Inspection): void {
  const { draft } = inspection
  const used = new Set(
    allListenersOf(draft)
      .flatMap(poolReferencesOf)
      .map(({ pool }) => pool),
  )
  for (const pool of poolsOf(draft)) {
    const place = [...pool.path, 'name']
    if (!used.has(pool.name)) {
      const hint = 'name it in a listener, or remove it: it is not even checked'
      inspection.report(
        'unused-pool',
        undefined,
        place,
        `no listener uses the pool "${pool.name}"`,
        hint,
      )
    } else if (pool.draft.members?.length === 0) {
      const hint = 'add members: until then its listeners end every connection'
      inspection.report(
        'pool-without-members',
        undefined,
        place,
        `the pool "${pool.name}" has no member`,
        hint,
      )
    }
  }
  const listen = draft.admin?.listen
  if (listen !== undefined && isExposed(listen)) {
    inspection.report(
      'admin-exposed',
      undefined,
      inspection.isWritten(['admin'], 'listen') ? ['admin', 'listen'] : ['admin'],
      `the admin endpoint on ${listen} can be reached from other machines, and asks for no password`,
      'listen on 127.0.0.1, [::1] or a unix socket, or keep others out by a firewall',
    )
  }
}

function isExposed(listen: string): boolean {
  const binding = endpointBinding(listen)
  if (binding.kind !== 'address' || binding.host === 'localhost') return false
  const address = tryParseAddress(binding.host)
  return !(address?.text === '::1' || (address?.family === 4 && address.bytes[0] === 127))
}
