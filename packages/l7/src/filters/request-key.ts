import { hash } from 'node:crypto'
import { clientNetworks, invalidOption, objectOption, shown } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import { claimOf } from './auth/claims.ts'
import { fieldNameOption, tokenOption } from './field-option.ts'
import { wholeOption, wordOption } from './number-option.ts'

/** By the client's address, cut to a prefix: whoever has a whole network of addresses is one client. */
export interface ClientKey {
  /** Default 32. */
  readonly ipv4Prefix?: number
  /** Default 64: what a provider gives to one customer at least. */
  readonly ipv6Prefix?: number
}

/**
 * What requests are counted by: `client` (its address), `host`, `route`, `all` (every request is one), a header, a
 * cookie, a claim of a verified token (see `jwtAuth`), or a function.
 */
export type RequestKey =
  | 'client'
  | 'host'
  | 'route'
  | 'all'
  | { readonly client: ClientKey }
  | { readonly header: string }
  | { readonly cookie: string }
  | { readonly claim: string }
  | ((x: Exchange) => string | number | undefined)

/** What happens to a request that has no such header, cookie or claim: it counts by its client's address, it is not counted, or it is turned away. */
export type WhenKeyAbsent = 'client' | 'skip' | 'refuse'

/** Reads a {@link RequestKey}. */
export interface KeyReader {
  /** Undefined when the request has none. Long texts are replaced by their SHA-256, so that keys are short. */
  of(x: Exchange): string | number | undefined
  /** A key in letters, for stores elsewhere and for logs. */
  text(key: string | number): string
}

/** Longer texts are kept as their hash: a client must not fill our memory with its own headers. */
const longest = 64

/**
 * Makes a {@link KeyReader}.
 *
 * @param base - path of the options that `key` and `whenAbsent` are of.
 * @throws `invalid-option` with the path of the field.
 */
export function keyReader(key: RequestKey, whenAbsent: WhenKeyAbsent, base: string): KeyReader {
  const path = `${base}.key`
  wordOption(whenAbsent, ['client', 'skip', 'refuse'], `${base}.whenAbsent`)
  const { client = {} } =
    typeof key === 'object' ? (objectOption(key, path) as { client?: ClientKey }) : {}
  const networks = clientNetworks(
    wholeOption(
      objectOption(client, `${path}.client`).ipv4Prefix ?? 32,
      `${path}.client.ipv4Prefix`,
      0,
      32,
      'prefix length',
    ),
    wholeOption(client.ipv6Prefix ?? 64, `${path}.client.ipv6Prefix`, 0, 128, 'prefix length'),
  )
  const byClient = (x: Exchange): string | number => networks.of(x.request.client)
  const read = readerOf(key, path, byClient)
  return {
    of: whenAbsent === 'client' ? (x) => read(x) ?? byClient(x) : read,
    text: (value) =>
      typeof value === 'number' || (value.length === 9 && value.charCodeAt(0) === six)
        ? networks.text(value)
        : value,
  }
}

/** How core's client networks begin their keys for IPv6; no header, cookie or host can. */
const six = 6

function readerOf(
  key: RequestKey,
  path: string,
  byClient: (x: Exchange) => string | number,
): (x: Exchange) => string | number | undefined {
  if (typeof key === 'function') {
    return (x) => {
      const value = key(x)
      return typeof value === 'string' ? short(value) : value
    }
  }
  if (typeof key === 'string') {
    switch (key) {
      case 'client':
        return byClient
      case 'host':
        return (x) => short(x.request.host)
      case 'route':
        return (x) => x.route ?? ''
      case 'all':
        return () => ''
      default:
    }
  } else if (typeof objectOption(key, path) === 'object') {
    if ('client' in key) return byClient
    if ('header' in key) {
      const name = fieldNameOption(key.header, `${path}.header`)
      return (x) => short(x.request.header(name))
    }
    if ('cookie' in key) {
      const name = tokenOption(key.cookie, `${path}.cookie`)
      return (x) => short(x.request.cookie(name))
    }
    if ('claim' in key) {
      const name = key.claim
      if (typeof name !== 'string' || name === '') {
        throw invalidOption(`${path}.claim`, `${shown(name)} is no name of a claim`)
      }
      return (x) => {
        const value = claimOf(x, name)
        if (typeof value === 'string') return short(value)
        return typeof value === 'number' ? `${value}` : undefined
      }
    }
  }
  throw invalidOption(
    path,
    `${shown(key)} is nothing to count by: use client, host, route, all, { client }, { header }, { cookie }, { claim } or a function`,
  )
}

function short(text: string | undefined): string | undefined {
  if (text === undefined || text.length <= longest) return text
  return hash('sha256', text, 'base64url')
}
