import type { Exchange } from '../../exchange/exchange.ts'

/** The claims of a token (RFC 7519 section 4). */
export type Claims = Readonly<Record<string, unknown>>

/** By which `jwtAuth` remembers what it verified. */
const key: object = Object.freeze({})

/** Remembers the claims of a token that was verified. */
export function rememberClaims(x: Exchange, claims: Claims): void {
  x.remember(key, claims)
}

/** The claims of the token that `jwtAuth` has verified for this exchange; undefined when there was none. */
export function claimsOf(x: Exchange): Claims | undefined {
  return x.recall(key) as Claims | undefined
}

/** One claim of {@link claimsOf}, such as `sub`. */
export function claimOf(x: Exchange, name: string): unknown {
  const claims = claimsOf(x)
  return claims !== undefined && Object.hasOwn(claims, name) ? claims[name] : undefined
}
