import { invalidOption, listOption, objectOption, type SocketAddress } from '@steelyard/core'
import { type Acl, acl, type ClientInfo } from '@steelyard/l4'
import type { Exchange } from '../exchange/exchange.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { wordOption } from './number-option.ts'
import { type RefusalOptions, refusal } from './refusal.ts'

/** Whom {@link ipAccess} lets in. */
export interface IpAccessOptions extends RefusalOptions {
  /** Blocks or addresses that may come in. */
  readonly allow?: readonly string[]
  /** Blocks or addresses that may not. */
  readonly deny?: readonly string[]
  /**
   * How the lists go together. `deny-first`: who is in `deny` may not, whatever `allow` says; once there is an `allow`
   * list, only those in it may. `allow-only`: once there is an `allow` list it alone counts, else `deny` does
   * (Flomesh). `allow-first`: who is in `allow` may; who is in `deny` may not; the rest may, when there is a `deny`
   * list (Easegress). Default `deny-first`.
   */
  readonly order?: 'deny-first' | 'allow-only' | 'allow-first'
  /**
   * Whose address. `client`: what a trusted X-Forwarded-For says, else the connection's. `connection`: the other end of
   * the connection, or what a trusted PROXY header says. `peer`: the other end of the socket. `both`: `client` and
   * `connection` have to pass. Default `client`.
   */
  readonly by?: 'client' | 'connection' | 'peer' | 'both'
  /** Ends the connection or stream without an answer, instead of 403. Default `false`. */
  readonly drop?: boolean
}

/**
 * Lets clients in or keeps them out by address. Answers 403 (`ip-denied`). Clients without an IP address (unix
 * sockets) are in no list.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the block that is none.
 */
export function ipAccess(options: IpAccessOptions, path = 'ipAccess'): HttpFilter {
  const { allow, deny, order = 'deny-first', by = 'client' } = objectOption(options, path)
  if (allow === undefined && deny === undefined) {
    throw invalidOption(path, 'keeps nobody out: give it allow or deny')
  }
  const { drop = false } = options
  if (typeof drop !== 'boolean') throw invalidOption(`${path}.drop`, 'must be true or false')
  const admits = ruleOf(
    wordOption(order, ['deny-first', 'allow-only', 'allow-first'], `${path}.order`),
    allow,
    deny,
    path,
  )
  const passes = testBy(
    wordOption(by, ['client', 'connection', 'peer', 'both'], `${path}.by`),
    admits,
  )
  const verdict = drop
    ? Object.freeze({ drop: true as const, reason: 'ip-denied' })
    : refusal(options, path, 403, 'ip-denied').reply
  return {
    name: 'ip-access',
    request: (x) => (passes(x) ? undefined : verdict),
  }
}

function ruleOf(
  order: NonNullable<IpAccessOptions['order']>,
  allow: readonly string[] | undefined,
  deny: readonly string[] | undefined,
  path: string,
): Acl {
  if (allow !== undefined) listOption(allow, `${path}.allow`)
  if (deny !== undefined) listOption(deny, `${path}.deny`)
  if (order === 'deny-first') {
    return acl({ ...(allow && { allow }), ...(deny && { deny }) }, path)
  }
  // The list that does not count is read all the same: a wrong block in it is a mistake.
  const allowed = acl({ allow: allow ?? [] }, path)
  const notDenied = acl({ deny: deny ?? [] }, path)
  if (order === 'allow-only') return allow === undefined ? notDenied : allowed
  return deny === undefined ? allowed : (client) => allowed(client) || notDenied(client)
}

function testBy(by: NonNullable<IpAccessOptions['by']>, admits: Acl): (x: Exchange) => boolean {
  const byClient = (x: Exchange): boolean => {
    subject.source = addressed(x.request.client)
    subject.destination = x.connection.local
    return admits(subject)
  }
  const bySocket = (source: SocketAddress, x: Exchange): boolean => {
    subject.source = source
    subject.destination = x.connection.local
    return admits(subject)
  }
  switch (by) {
    case 'client':
      return byClient
    case 'connection':
      return (x) => bySocket(x.connection.client, x)
    case 'peer':
      return (x) => bySocket(x.connection.peer, x)
    default:
      return (x) => bySocket(x.connection.client, x) && byClient(x)
  }
}

/** Rules look at it during the call only, so one serves all. */
const subject: { -readonly [K in keyof ClientInfo]: ClientInfo[K] } = {
  source: { address: '', port: 0, family: 4 },
  destination: { address: '', port: 0, family: 4 },
}

/** The family is asked only to tell unix sockets apart, whose names begin with a slash or are empty. */
const scratch: { address: string; port: number; family: 4 | 'unix' } = {
  address: '',
  port: 0,
  family: 4,
}

function addressed(address: string): SocketAddress {
  scratch.address = address
  scratch.family = address === '' || address.charCodeAt(0) === 0x2f ? 'unix' : 4
  return scratch
}
