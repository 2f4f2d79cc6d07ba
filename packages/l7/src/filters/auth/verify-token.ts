import { type CryptoKey, type JWTVerifyOptions, jwtVerify } from 'jose'
import type { Claims } from './claims.ts'
import type { JwtKeys } from './key-option.ts'
import type { KeyFinder } from './remote-keys.ts'

/** The claims of a token that is good; rejects with what jose says of one that is not. */
export async function verifiedClaims(
  token: string,
  keys: JwtKeys,
  options: JWTVerifyOptions,
): Promise<Claims> {
  if (typeof keys !== 'function') return tryEach(token, keys, options)
  try {
    return (await jwtVerify(token, keys, options)).payload
  } catch (error) {
    // Several keys may have been meant, when the token does not name one.
    if (codeOf(error) !== 'ERR_JWKS_MULTIPLE_MATCHING_KEYS') throw error
    return tryEach(token, error as AsyncIterable<CryptoKey>, options)
  }
}

async function tryEach(
  token: string,
  keys: Exclude<JwtKeys, KeyFinder> | AsyncIterable<CryptoKey>,
  options: JWTVerifyOptions,
): Promise<Claims> {
  let last: unknown
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload
    } catch (error) {
      // A key of another kind is not the token's key either; jose says so by a TypeError.
      if (codeOf(error) !== badSignature && !(error instanceof TypeError)) throw error
      last = error
    }
  }
  throw codeOf(last) === badSignature
    ? last
    : Object.assign(new Error('no key fits the token', { cause: last }), { code: badSignature })
}

const badSignature = 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'

/** What is wrong with the token, in words that give nothing of it away; undefined when it is not the token. */
export function problemOf(error: unknown): string | undefined {
  const code = codeOf(error)
  switch (code) {
    case 'ERR_JWT_EXPIRED':
      return 'the token has expired'
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED':
      return 'a claim of the token is missing or not accepted'
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return 'the algorithm of the token is not accepted'
    case 'ERR_JWKS_NO_MATCHING_KEY':
    case badSignature:
      return 'the signature of the token is not good'
    case 'ERR_JWS_INVALID':
    case 'ERR_JWT_INVALID':
    case 'ERR_JOSE_NOT_SUPPORTED':
    case 'ERR_JWKS_MULTIPLE_MATCHING_KEYS':
      return 'the token is not a good one'
    default:
      return undefined
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null
    ? (error as { code?: unknown }).code
    : undefined
}
