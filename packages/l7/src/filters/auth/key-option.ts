import { createPublicKey, type KeyObject } from 'node:crypto'
import {
  bytesOption,
  type Clock,
  type Duration,
  functionOption,
  invalidOption,
  listOption,
  objectOption,
  parseDuration,
  SteelyardError,
  shown,
} from '@steelyard/core'
import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { boundedFetch } from '../bounded-fetch.ts'
import { type KeyFinder, remoteKeys } from './remote-keys.ts'

/** The keys that tokens are verified with; exactly one of these. */
export interface JwtKeyOptions {
  /** Where the issuer publishes its keys (RFC 7517): `https://issuer.example/.well-known/jwks.json`. */
  readonly jwksUrl?: string
  /** Keys as a JSON Web Key Set. */
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  /** Public keys or certificates as PEM; each is tried. */
  readonly publicKeys?: readonly string[]
  /** A shared secret for `HS…`: 32 bytes at least. */
  readonly secret?: string | Uint8Array
  /** Gets the set of {@link JwtKeyOptions.jwksUrl} by other means. Default: `fetch`, 256 KiB at most. */
  readonly fetchKeys?: (url: string) => Promise<unknown>
  /** The set is fetched anew, in the background, when it is older. Default `10m`. */
  readonly keysFreshFor?: Duration
  /** An older one is good for so much longer while the issuer does not answer. Default `24h`. */
  readonly keysStaleFor?: Duration
  /** The least time between two fetches because of unknown keys. Default `30s`. */
  readonly keysCooldown?: Duration
  /** Default `5s`. */
  readonly keysTimeout?: Duration
}

/** A key of our own, and what it may have signed. */
export interface StaticKey {
  readonly key: KeyObject | Uint8Array
  readonly algorithms: readonly string[]
}

/** What tokens are verified with: a finder, or keys to try one after the other. */
export type JwtKeys = KeyFinder | readonly StaticKey[]

const algorithms = {
  secret: ['HS256', 'HS384', 'HS512'],
  public: [
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
  ],
} as const

const largestSet = 256 * 1024

/**
 * Reads {@link JwtKeyOptions}.
 *
 * @param failed - hears of fetches in the background that failed.
 * @throws `invalid-option` with the path of the field.
 */
export function jwtKeys(
  options: JwtKeyOptions,
  path: string,
  clock: Clock,
  failed: (error: unknown) => void,
): JwtKeys {
  const given = (['jwksUrl', 'jwks', 'publicKeys', 'secret'] as const).filter(
    (name) => options[name] !== undefined,
  )
  if (given.length !== 1) {
    throw invalidOption(path, 'needs exactly one of jwksUrl, jwks, publicKeys, secret')
  }
  const { jwksUrl, jwks, publicKeys, secret } = options
  if (secret !== undefined)
    return [{ key: secretOf(secret, `${path}.secret`), algorithms: algorithms.secret }]
  if (publicKeys !== undefined) {
    const keys = listOption(publicKeys, `${path}.publicKeys`)
    if (keys.length === 0) throw invalidOption(`${path}.publicKeys`, 'must have one key at least')
    return keys.map((pem, index) => publicKey(pem, `${path}.publicKeys[${index}]`))
  }
  if (jwks !== undefined) {
    objectOption(jwks, `${path}.jwks`)
    try {
      return createLocalJWKSet(jwks as unknown as JSONWebKeySet)
    } catch (error) {
      throw wrong(`${path}.jwks`, 'is no JSON Web Key Set', error)
    }
  }
  const url = urlOf(jwksUrl as string, `${path}.jwksUrl`)
  const timeoutMs = parseDuration(options.keysTimeout ?? '5s', `${path}.keysTimeout`)
  const get =
    options.fetchKeys === undefined
      ? () => fetchSet(url, timeoutMs, clock)
      : functionOption(options.fetchKeys, `${path}.fetchKeys`)
  return remoteKeys({
    fetchKeys: () => get(url),
    freshMs: parseDuration(options.keysFreshFor ?? '10m', `${path}.keysFreshFor`),
    staleMs: parseDuration(options.keysStaleFor ?? '24h', `${path}.keysStaleFor`),
    cooldownMs: parseDuration(options.keysCooldown ?? '30s', `${path}.keysCooldown`),
    clock,
    failed,
  })
}

/**
 * The algorithms that tokens may be signed with: those that fit the keys, so that a public key can never be taken for
 * a secret (RFC 8725 section 3.1), and never `none`.
 *
 * @throws `invalid-option` with the path of the one that does not fit.
 */
export function jwtAlgorithms(
  names: readonly string[],
  withSecret: boolean,
  path: string,
): readonly string[] {
  const fitting: readonly string[] = withSecret ? algorithms.secret : algorithms.public
  const list = listOption(names, path)
  if (list.length === 0) throw invalidOption(path, 'must name one algorithm at least')
  list.forEach((name, index) => {
    if (!fitting.includes(name)) {
      throw invalidOption(
        `${path}[${index}]`,
        `${shown(name)} does not fit the keys: use ${fitting.join(', ')}`,
      )
    }
  })
  return [...list]
}

/**
 * A URL of a service, as text.
 *
 * @throws `invalid-option` for what is neither `http` nor `https`, or has a password in it.
 */
export function urlOf(text: string, path: string): string {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    throw invalidOption(path, `${shown(text)} is no URL: write https://host/path`)
  }
  if (url.username !== '' || url.password !== '') {
    throw invalidOption(path, 'must not have a user or a password in it')
  }
  return url.href
}

async function fetchSet(url: string, timeoutMs: number, clock: Clock): Promise<unknown> {
  const { status, body, tooLong } = await boundedFetch(url, {
    method: 'GET',
    headers: { accept: 'application/jwk-set+json, application/json' },
    timeoutMs,
    maxBody: largestSet,
    clock,
  })
  const problem =
    status !== 200 ? `the answer was ${status}` : tooLong ? 'the answer is too long' : undefined
  if (problem !== undefined) {
    throw new SteelyardError(`no keys from ${url}: ${problem}`, {
      code: 'auth-service-failed',
      source: 'system',
      retryable: true,
    })
  }
  return JSON.parse(new TextDecoder().decode(body)) as unknown
}

function secretOf(secret: string | Uint8Array, path: string): Uint8Array {
  const bytes =
    typeof secret === 'string' ? new TextEncoder().encode(secret) : bytesOption(secret, path)
  if (bytes.length >= 32) return new Uint8Array(bytes)
  throw invalidOption(path, `${bytes.length} bytes are too few for a secret: use 32 or more`)
}

function publicKey(pem: string, path: string): StaticKey {
  let key: KeyObject | undefined
  try {
    if (typeof pem === 'string' && !pem.includes('PRIVATE KEY')) key = createPublicKey(pem)
  } catch (error) {
    throw wrong(path, 'is no public key or certificate in PEM', error)
  }
  if (key === undefined) throw invalidOption(path, 'is no public key or certificate in PEM')
  const signs = algorithmsOf(key)
  if (signs.length > 0) return { key, algorithms: signs }
  throw invalidOption(
    path,
    'is no key for tokens: use RSA of 2048 bits, P-256, P-384, P-521 or Ed25519',
  )
}

/** What a public key may have signed (RFC 7518 section 3, RFC 8037). */
function algorithmsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails ?? {}
  switch (asymmetricKeyType) {
    case 'rsa':
      return modulusLength >= 2048 ? algorithms.public.filter((name) => /^[RP]S/.test(name)) : []
    case 'ec':
      return byCurve[namedCurve] ?? []
    case 'ed25519':
      return ['EdDSA', 'Ed25519']
    default:
      return []
  }
}

const byCurve: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
}

function wrong(path: string, problem: string, cause: unknown): SteelyardError {
  return new SteelyardError(problem, { code: 'invalid-option', source: 'config', path, cause })
}
