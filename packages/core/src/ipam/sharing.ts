import { shown } from '../shown.ts'
import { formatNames } from './name-list.ts'

/** What one owner takes of an address. */
export interface Claim {
  /** As `tcp/80`; absent for every port. */
  readonly ports: ReadonlySet<string> | undefined
  /** Who may be beside it: nobody, all who say `true`, or all with the same key. */
  readonly shared: boolean | string
}

/** An address in use, and by whom. */
export interface Seat {
  readonly number: bigint
  readonly occupants: Map<string, Claim>
}

/** Why somebody cannot have an address that is in use. */
export interface Conflict {
  readonly reason: 'address-taken' | 'port-taken'
  /** Ends the sentence `cannot give 192.0.2.1: `. */
  readonly detail: string
  readonly owners: readonly string[]
}

/** Why this owner cannot sit here beside the others, or `undefined` when it can. */
export function conflictOf(seat: Seat, owner: string, claim: Claim): Conflict | undefined {
  const others = [...seat.occupants].filter(([name]) => name !== owner)
  if (others.length === 0) return undefined
  const unwilling = others.filter(([, { shared }]) => shared !== claim.shared || shared === false)
  if (unwilling.length > 0) {
    const owners = unwilling.map(([name]) => name)
    return { reason: 'address-taken', detail: unwillingness(unwilling, claim), owners }
  }
  const clash = others.filter(([, { ports }]) => overlap(ports, claim.ports) !== undefined)
  if (clash.length === 0) return undefined
  const owners = clash.map(([name]) => name)
  const port = overlap(clash[0]![1].ports, claim.ports)
  const what = port === 'all' ? 'all its ports are' : `${port} is`
  return { reason: 'port-taken', detail: `${what} taken by ${formatNames(owners)}`, owners }
}

/** A port in both sets, `all` when one of them is everything, or `undefined`. */
function overlap(a: Claim['ports'], b: Claim['ports']): string | undefined {
  // Who serves nothing yet is in nobody's way.
  if (a?.size === 0 || b?.size === 0) return undefined
  if (a === undefined || b === undefined) return 'all'
  for (const port of a) if (b.has(port)) return port
  return undefined
}

function unwillingness(others: readonly (readonly [string, Claim])[], claim: Claim): string {
  const names = formatNames(others.map(([name]) => name))
  const [, first] = others[0]!
  if (claim.shared === false) return `it is taken by ${names}, and the request does not share`
  if (first.shared === false) return `it is taken by ${names}, not shared`
  const theirs = first.shared === true ? 'without a key' : `under the key ${shown(first.shared)}`
  const ours = claim.shared === true ? 'without one' : `under ${shown(claim.shared)}`
  return `it is shared by ${names} ${theirs}, the request shares ${ours}`
}
