import { invalidOption, type SocketAddress, shown } from '@steelyard/core'
import { acl, type ClientInfo } from '@steelyard/l4'
import type { HttpRequest } from '../exchange/http-request.ts'
import { wholeOption } from '../filters/number-option.ts'
import type { Matcher } from './route.ts'

/**
 * Requests of clients in one of these blocks or with one of these addresses. The client is who a trusted
 * X-Forwarded-For or PROXY header says, else the other end of the connection.
 *
 * @throws `invalid-option` for what is no block of addresses.
 */
export function clientIn(...blocks: readonly string[]): Matcher {
  return addressIn('client', blocks, 'clientIn', ({ client }) => client)
}

/** Requests that came over a connection from one of these blocks or addresses, whatever headers say. */
export function peerIn(...blocks: readonly string[]): Matcher {
  return addressIn('peer', blocks, 'peerIn', ({ peer }) => peer.address)
}

function addressIn(
  subject: string,
  blocks: readonly string[],
  path: string,
  addressOf: (request: HttpRequest) => string,
): Matcher {
  if (blocks.length === 0) throw invalidOption(path, 'needs at least one block of addresses')
  const allowed = acl({ allow: blocks }, path)
  // One for all questions, so that asking costs no object; an answer is complete before the next question.
  const source = { address: '', port: 0, family: 4 as SocketAddress['family'] }
  const info: ClientInfo = { source, destination: source }
  const several = blocks.length > 5 ? [...blocks.slice(0, 5), `${blocks.length - 5} more`] : blocks
  return Object.freeze({
    kind: 'test',
    subject,
    wants: `in ${several.join(' or ')}`,
    test: (request: HttpRequest) => {
      source.address = addressOf(request)
      return allowed(info)
    },
    actual: addressOf,
  })
}

/** Requests that reached us, or a trusted proxy before us, by `http` or by `https`. */
export function scheme(name: 'http' | 'https'): Matcher {
  if (name !== 'http' && name !== 'https') {
    throw invalidOption('scheme', `${shown(name)} is neither http nor https`)
  }
  return Object.freeze({
    kind: 'test',
    subject: 'scheme',
    wants: name,
    test: ({ scheme }: HttpRequest) => scheme === name,
    actual: ({ scheme }: HttpRequest) => scheme,
  })
}

/** Requests over connections to one of these ports. For the port in the Host field, write it in {@link host}. */
export function port(...numbers: readonly number[]): Matcher {
  if (numbers.length === 0) throw invalidOption('port', 'needs at least one port')
  const set: ReadonlySet<number> = new Set(
    numbers.map((number, index) => wholeOption(number, `port[${index}]`, 1, 65_535, 'port')),
  )
  return Object.freeze({
    kind: 'test',
    subject: 'port',
    wants: [...set].join(' or '),
    test: ({ local }: HttpRequest) => set.has(local.port),
    actual: ({ local }: HttpRequest) => String(local.port),
  })
}
