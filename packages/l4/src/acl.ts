import { invalidOption, listOption, objectOption, type SocketAddress, shown } from '@steelyard/core'
import { type Cidr, cidrSet, parseCidr, tryParseAddress } from '@steelyard/core/ip'

/** What an access rule sees of a connection. */
export interface ClientInfo {
  /** Where the client is: from a trusted PROXY header if there was one, else the peer of the socket. */
  readonly source: SocketAddress
  /** What it connected to. */
  readonly destination: SocketAddress
}

/** An access rule: may this client connect? A plain function, so any other will do as well. */
export type Acl = (client: ClientInfo) => boolean

/** Who may connect, by address. */
export interface AclOptions {
  /** Blocks or addresses that may connect. Once there is a list, all others may not. */
  readonly allow?: readonly string[]
  /** Blocks or addresses that may not, whatever `allow` says. */
  readonly deny?: readonly string[]
  /** What happens to those in neither list. Default: `deny` when there is an `allow` list, else `allow`. */
  readonly default?: 'allow' | 'deny'
}

/**
 * An access rule by address, with one order of decision: who is in `deny` may not; who is in `allow` may;
 * everybody else gets `default`. IPv4-mapped IPv6 addresses count as IPv4. Clients without an IP address
 * (unix sockets) are in no list.
 *
 * @throws `invalid-option` with the path of the block that is none.
 */
export function acl(options: AclOptions, path = 'acl'): Acl {
  const deny = addressTest(objectOption(options, path).deny ?? [], `${path}.deny`)
  const allow = addressTest(options.allow ?? [], `${path}.allow`)
  const rest = options.default ?? (options.allow === undefined ? 'allow' : 'deny')
  if (rest !== 'allow' && rest !== 'deny') {
    throw invalidOption(`${path}.default`, `${shown(rest)} is neither allow nor deny`)
  }
  const otherwise = rest === 'allow'
  return ({ source }) => {
    if (source.family === 'unix') return otherwise
    const { address } = source
    return !deny(address) && (allow(address) || otherwise)
  }
}

/** True for what passes each of the tests; true for no tests. Joins {@link Acl}s and any other conditions. */
export function allOf<T>(...tests: readonly ((subject: T) => boolean)[]): (subject: T) => boolean {
  return (subject) => tests.every((test) => test(subject))
}

/** True for what passes at least one of the tests; false for no tests. */
export function anyOf<T>(...tests: readonly ((subject: T) => boolean)[]): (subject: T) => boolean {
  return (subject) => tests.some((test) => test(subject))
}

/** True for what passes none of the tests; with one test, its opposite. */
export function noneOf<T>(...tests: readonly ((subject: T) => boolean)[]): (subject: T) => boolean {
  return (subject) => !tests.some((test) => test(subject))
}

/** IPv4 blocks of one prefix length, as numbers. */
interface Group {
  readonly mask: number
  readonly networks: Set<number>
}

/** Is the address in one of the blocks? IPv4 is asked by number, without making an object or a string. */
function addressTest(blocks: readonly string[], path: string): (address: string) => boolean {
  const cidrs = listOption(blocks, path).map((block, index) =>
    parseCidr(block, `${path}[${index}]`),
  )
  if (cidrs.length === 0) return () => false
  const groups = groupsOf(cidrs.filter(({ family }) => family === 4))
  const six = cidrSet(cidrs.filter(({ family }) => family === 6))
  const hasNumber = (number: number): boolean => {
    for (const { mask, networks } of groups) if (networks.has((number & mask) >>> 0)) return true
    return false
  }
  return (text) => {
    const number = ipv4Number(text)
    if (number >= 0) return hasNumber(number)
    const address = tryParseAddress(text)
    if (address === undefined) return false
    // An IPv4-mapped address may be written in hexadecimal.
    return address.family === 6 ? six.has(address) : hasNumber(ipv4Number(address.text))
  }
}

function groupsOf(cidrs: readonly Cidr[]): Group[] {
  const byPrefix = new Map<number, Group>()
  for (const { network, prefix } of cidrs) {
    let group = byPrefix.get(prefix)
    if (group === undefined) {
      group = { mask: prefix === 0 ? 0 : -1 << (32 - prefix), networks: new Set() }
      byPrefix.set(prefix, group)
    }
    group.networks.add(ipv4Number(network.text))
  }
  return [...byPrefix.values()]
}

const mapped = '::ffff:'

/** The 32 bits of a dotted address, also of an IPv4-mapped one; -1 for anything else. */
function ipv4Number(text: string): number {
  let number = 0
  let part = -1
  let dots = 0
  for (let i = text.startsWith(mapped) ? mapped.length : 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x2e) {
      if (part < 0 || ++dots > 3) return -1
      number = number * 256 + part
      part = -1
    } else {
      const digit = code - 0x30
      if (digit < 0 || digit > 9) return -1
      part = (part < 0 ? 0 : part * 10) + digit
      if (part > 255) return -1
    }
  }
  return dots === 3 && part >= 0 ? number * 256 + part : -1
}
