import { type CryptoKey, decodeProtectedHeader, type JWTVerifyOptions, jwtVerify } from 'jose'
import type { Claims } from './claims.ts'
import type { JwtKeys, StaticKey } from './key-option.ts'

/** The claims of a token that is good; rejects with what jose says of one that is not. */
export async function verifiedClaims(
  token: string,
  keys: JwtKeys,
  options: JWTVerifyOptions,
): Promise<Claims> {
  if (typeof keys !== 'function') {
    const algorithm = algorithmOf(token)
    return tryEach(
      token,
      keys.filter((one) => one.algorithms.includes(algorithm)).map(keyOf),
      options,
    )
  }
  try {
    return (await jwtVerify(token, keys, options)).payload
  } catch (error) {
    // Several keys may have been meant, when the token does not name one.
    if (codeOf(error) !== 'ERR_JWKS_MULTIPLE_MATCHING_KEYS') throw error
    return tryEach(token, error as AsyncIterable<CryptoKey>, options)
  }
}

/** The algorithm that a token says it was signed by. */
function algorithmOf(token: string): string {
  try {
    return String(decodeProtectedHeader(token).alg)
  } catch (error) {
    throw Object.assign(new Error('no token', { cause: error }), { code: 'ERR_JWS_INVALID' })
  }
}

function keyOf({ key }: StaticKey): StaticKey['key'] {
  return key
}

async function tryEach(
  token: string,
  keys: readonly StaticKey['key'][] | AsyncIterable<CryptoKey>,
  options: JWTVerifyOptions,
): Promise<Claims> {
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload
    } catch (error) {
      if (codeOf(error) !== badSignature) throw error
    }
  }
  throw Object.assign(new Error('no key fits the token'), { code: badSignature })
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
