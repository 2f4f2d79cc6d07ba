import { invalidOption, listOption, objectOption } from '@steelyard/core'
import { type CidrSet, cidrSet, tryParseAddress } from '@steelyard/core/ip'
import type { ConnectionFacts } from '../exchange/connection-facts.ts'
import { Field } from '../wire/field.ts'
import type { Head } from '../wire/head.ts'
import { latin1 } from '../wire/latin1.ts'
import { dropBlanks, skipBlanks } from '../wire/list.ts'
import { forwardedElements } from './forwarded-element.ts'
import { choiceOption, countOption } from './option-choice.ts'

/** Whom to believe about the client. */
export interface TrustOptions {
  /** Blocks of the proxies in front. Default: none. */
  readonly trustedProxies?: readonly string[]
  /**
   * How many proxies are in front, when their addresses are not known: whoever connects counts as the last of them, so
   * nobody else must be able to connect. With `trustedProxies`, the peer must be in a block and this is how far the
   * list is followed. Default: by address alone.
   */
  readonly trustedHops?: number
  /** Where they write the client's address. Default `x-forwarded-for`. */
  readonly trustedHeader?: 'x-forwarded-for' | 'forwarded'
}

/** {@link TrustOptions}, ready to ask. */
export interface TrustSettings {
  readonly proxies: CidrSet | undefined
  /** 0 for by address. */
  readonly hops: number
  readonly header: 'x-forwarded-for' | 'forwarded'
  /** Is the peer of a connection to be believed? For {@link ConnectionFacts.trusted}. */
  trusts(address: string): boolean
}

/** Elements that are looked at, from the right. */
const mostElements = 64

/**
 * Reads {@link TrustOptions}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function trustSettings(options: TrustOptions = {}, path = 'forwarding'): TrustSettings {
  const given = objectOption(options, path)
  const { trustedProxies = [], trustedHops } = given
  listOption(trustedProxies, `${path}.trustedProxies`)
  const proxies =
    trustedProxies.length === 0 ? undefined : cidrSet(trustedProxies, `${path}.trustedProxies`)
  const hops =
    trustedHops === undefined ? 0 : countOption(trustedHops, 0, 32, `${path}.trustedHops`)
  if (trustedHops === 0 && proxies !== undefined) {
    throw invalidOption(
      `${path}.trustedHops`,
      '0 trusts nobody, yet trustedProxies names some: leave one out',
    )
  }
  return Object.freeze({
    proxies,
    hops,
    header: choiceOption(
      given.trustedHeader ?? 'x-forwarded-for',
      ['x-forwarded-for', 'forwarded'],
      `${path}.trustedHeader`,
    ),
    trusts(text: string): boolean {
      if (proxies === undefined) return hops > 0
      const address = tryParseAddress(text)
      return address !== undefined && proxies.has(address)
    },
  })
}

/**
 * The client's address: the connection's, or what trusted proxies say. The list is read from its end, where the
 * nearest proxy wrote, past hops that are trusted, up to the first that is not; an element that is no address ends the
 * walk, because whoever wrote it cannot be told from anybody. In its shortest form.
 */
export function trustedClient(
  head: Head,
  connection: ConnectionFacts,
  trust: TrustSettings,
): string {
  const { address } = connection.client
  if (!connection.trusted) return address
  return trust.header === 'forwarded'
    ? walk(forwardedElements(head, 'for'), address, trust)
    : walkXForwardedFor(head, address, trust)
}

function walkXForwardedFor(head: Head, peer: string, trust: TrustSettings): string {
  const { bytes, ranges, ids } = head
  const walker = new Walker(peer, trust)
  for (let line = head.count - 1; line >= 0; line--) {
    if (ids[line] !== Field.xForwardedFor) continue
    const start = ranges[line * 4 + 2]!
    let end = ranges[line * 4 + 3]!
    while (end >= start) {
      let at = end
      while (at > start && bytes[at - 1] !== 0x2c) at -= 1
      const from = skipBlanks(bytes, at, end)
      if (!walker.step(latin1(bytes, from, dropBlanks(bytes, from, end)))) return walker.client
      end = at - 1
    }
  }
  return walker.client
}

/** @param elements - `for` of each, in the order written; undefined for one that has none */
function walk(
  elements: readonly (string | undefined)[],
  peer: string,
  trust: TrustSettings,
): string {
  const walker = new Walker(peer, trust)
  for (let i = elements.length - 1; i >= 0; i--) {
    if (!walker.step(elements[i] ?? '')) break
  }
  return walker.client
}

class Walker {
  client: string
  readonly #trust: TrustSettings
  #steps = 0

  constructor(peer: string, trust: TrustSettings) {
    this.client = peer
    this.#trust = trust
  }

  /** Takes the next element to the left; false ends the walk. */
  step(text: string): boolean {
    const { proxies, hops } = this.#trust
    const address = tryParseAddress(withoutPort(text))
    if (address === undefined) return false
    this.client = address.text
    this.#steps += 1
    if (this.#steps >= mostElements) return false
    return hops > 0 ? this.#steps < hops : proxies?.has(address) === true
  }
}

/** Some proxies write `192.0.2.1:4711` or `[2001:db8::1]:4711`. */
function withoutPort(text: string): string {
  if (text.startsWith('[')) {
    const match = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)
    return match?.[1]?.includes(':') === true ? match[1] : ''
  }
  const colon = text.indexOf(':')
  return colon >= 0 && text.includes('.') && /^[\d.]+:\d{1,5}$/.test(text)
    ? text.slice(0, colon)
    : text
}

/**
 * How the client reached us: by this connection, or by what a trusted peer says in X-Forwarded-Proto or Forwarded. Of
 * several values the last counts: the nearest proxy wrote it.
 */
export function trustedScheme(
  head: Head,
  connection: ConnectionFacts,
  trust: TrustSettings,
): 'http' | 'https' {
  const own = connection.tls === undefined ? 'http' : 'https'
  if (!connection.trusted) return own
  let said: string | undefined
  if (trust.header === 'forwarded') {
    said = forwardedElements(head, 'proto').at(-1)
  } else {
    for (let i = head.indexOf(Field.xForwardedProto); i >= 0; ) {
      said = head.valueAt(i).split(',').at(-1)
      i = head.indexOf(Field.xForwardedProto, i + 1)
    }
  }
  switch (said?.trim().toLowerCase()) {
    case 'https':
    case 'wss':
      return 'https'
    case 'http':
    case 'ws':
      return 'http'
    default:
      return own
  }
}
