import { hash } from 'node:crypto'
import {
  type Clock,
  clockOption,
  type Duration,
  flagOption,
  invalidOption,
  type Logger,
  listOption,
  objectOption,
  parseDuration,
  shown,
  silentLog,
  systemClock,
  textOption,
} from '@steelyard/core'
import type { JWTVerifyOptions } from 'jose'
import type { Exchange } from '../exchange/exchange.ts'
import type { RequestEditor } from '../exchange/field-editor.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Verdict } from '../exchange/reply.ts'
import { quoted, quotedRealm } from './auth/challenge.ts'
import { claimHeaders, claimText } from './auth/claim-headers.ts'
import { type ClaimRule, claimTest } from './auth/claim-rule.ts'
import { type Claims, claimsOf, rememberClaims } from './auth/claims.ts'
import { type JwtKeyOptions, jwtAlgorithms, jwtKeys } from './auth/key-option.ts'
import { ambiguous, type TokenSource, tokenReader } from './auth/token-source.ts'
import { verifiedCache } from './auth/verified-cache.ts'
import { problemOf, verifiedClaims } from './auth/verify-token.ts'
import { removeLookalikes } from './lookalikes.ts'
import { wholeOption } from './number-option.ts'
import { type RefusalOptions, refusal } from './refusal.ts'

/** Which tokens {@link jwtAuth} takes. */
export interface JwtAuthOptions
  extends JwtKeyOptions,
    Pick<RefusalOptions, 'body' | 'responseHeaders'> {
  /** Algorithms that a token may be signed with, such as `['RS256']`; never `none`. Required. */
  readonly algorithms: readonly string[]
  /** Who must have issued it. Default: anybody who has the key. */
  readonly issuer?: string | readonly string[]
  /** For whom it must be meant: one of these. Default: anybody; then tokens for other services are good here too. */
  readonly audience?: string | readonly string[]
  /** The type in its header, such as `at+jwt` (RFC 9068). Default: any. */
  readonly type?: string
  /** How far the issuer's clock may be off. Default `5s`. */
  readonly clockTolerance?: Duration
  /** How old it may be by its `iat`. Default: as old as its `exp` allows. */
  readonly maxAge?: Duration
  /** Claims that it must have, such as `['sub', 'exp']`. Default `['exp']`. */
  readonly requiredClaims?: readonly string[]
  /** What claims must be, such as `{ scope: 'orders' }`; a token that is good otherwise gets 403. Default: anything. */
  readonly claims?: Readonly<Record<string, ClaimRule>>
  /** Where it is. Default: `[{ header: 'Authorization' }]`, as `Bearer`. */
  readonly from?: readonly TokenSource[]
  /** A request without a token may pass; a bad token never. Default `false`. */
  readonly optional?: boolean
  /** Headers that tell the backend claims, by header: `{ 'X-User': 'sub' }`. What the client sent under these names never gets there. Default: none. */
  readonly claimHeaders?: Readonly<Record<string, string>>
  /** Takes the token away before the request goes to the backend. Default `false`. */
  readonly strip?: boolean
  /** For the challenge. Default `restricted`. */
  readonly realm?: string
  /** The longest token, in characters. Default 8192. */
  readonly maxTokenLength?: number
  /** How many verified tokens are remembered, by their hash. Default 1000; 0 for none. */
  readonly cacheSize?: number
  /** For how long, and never beyond `exp`; a key that was withdrawn is good for so long. Default `1m`. */
  readonly cacheFor?: Duration
  readonly clock?: Clock
  /** Hears of key sets that could not be fetched in the background. Default: nobody. */
  readonly log?: Logger
}

/**
 * Lets requests pass whose JSON Web Token (RFC 7519) is good; `claimsOf` and `claimOf` tell its claims to other
 * filters. Answers as RFC 6750 says: 401 without a token or with a bad one (`auth-required`, `token-invalid`), 403 when
 * its claims do not suffice (`claim-refused`), 503 when the issuer's keys cannot be had (`auth-service-failed`).
 *
 * @example
 * ```ts
 * import { jwtAuth } from '@steelyard/l7'
 *
 * const token = jwtAuth({
 *   jwksUrl: 'https://issuer.example/.well-known/jwks.json',
 *   algorithms: ['RS256'],
 *   issuer: 'https://issuer.example',
 *   audience: 'orders',
 *   claimHeaders: { 'X-User': 'sub' },
 * })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function jwtAuth(options: JwtAuthOptions, path = 'jwtAuth'): HttpFilter {
  objectOption(options, path)
  const clock = clockOption(options.clock ?? systemClock, `${path}.clock`)
  const log = options.log ?? silentLog
  const keys = jwtKeys(options, path, clock, (error) =>
    log.warn({ error, url: options.jwksUrl }, "the issuer's keys could not be fetched"),
  )
  const checks = checksOf(options, path)
  const reader = tokenReader(options.from ?? [{ header: 'Authorization' }], `${path}.from`)
  const optional = flagOption(options.optional ?? false, `${path}.optional`)
  const lacking = claimTest(options.claims ?? {}, `${path}.claims`)
  const forwarded = claimHeaders(options.claimHeaders ?? {}, `${path}.claimHeaders`)
  const strip = flagOption(options.strip ?? false, `${path}.strip`)
  const longest = wholeOption(
    options.maxTokenLength ?? 8192,
    `${path}.maxTokenLength`,
    1,
    65_536,
    'length',
  )
  const cacheForMs = parseDuration(options.cacheFor ?? '1m', `${path}.cacheFor`)
  const cacheSize = wholeOption(
    options.cacheSize ?? 1000,
    `${path}.cacheSize`,
    0,
    1_000_000,
    'bound',
  )
  const cache = verifiedCache<Claims>(cacheForMs === 0 ? 0 : cacheSize)

  const said = {
    ...(options.body === undefined ? {} : { body: options.body }),
    ...(options.responseHeaders === undefined ? {} : { responseHeaders: options.responseHeaders }),
  }
  const realm = `Bearer realm=${quotedRealm(options.realm ?? 'restricted', `${path}.realm`)}`
  const required = refusal(said, path, 401, 'auth-required').with({ 'www-authenticate': realm })
  const invalid = refusal(said, path, 401, 'token-invalid')
  const insufficient = refusal(said, path, 403, 'claim-refused')
  const failed = refusal({}, path, 503, 'auth-service-failed').reply

  const badToken = (description: string): Verdict =>
    invalid.with({
      'www-authenticate': `${realm}, error="invalid_token", error_description=${quoted(description)}`,
    })

  function admit(x: Exchange, claims: Claims): Verdict {
    const name = lacking(claims)
    if (name === undefined) {
      rememberClaims(x, claims)
      return undefined
    }
    return insufficient.with({ 'www-authenticate': `${realm}, error="insufficient_scope"` })
  }

  async function verify(x: Exchange, token: string, key: string): Promise<Verdict> {
    let claims: Claims
    try {
      claims = await verifiedClaims(token, keys, {
        ...checks.verify,
        // oxlint-disable-next-line no-restricted-globals -- jose takes the time as a Date; it is our clock's.
        currentDate: new Date(clock.wallNow()),
      })
    } catch (error) {
      const description = problemOf(error)
      if (description !== undefined) return badToken(description)
      x.log.error({ error, id: x.id }, 'a token could not be verified')
      return failed
    }
    const now = clock.wallNow()
    cache.set(key, claims, Math.min(now + cacheForMs, checks.goodUntil(claims)))
    return admit(x, claims)
  }

  return {
    name: 'jwt-auth',
    request(x) {
      const token = reader.read(x)
      if (token === undefined) return optional ? undefined : required
      if (token === ambiguous) return badToken('there are several tokens')
      if (token.length > longest) return badToken('the token is too long')
      const key = hash('sha256', token, 'base64')
      const known = cache.get(key, clock.wallNow())
      return known === undefined ? verify(x, token, key) : admit(x, known)
    },
    ...(forwarded.length > 0 || strip
      ? {
          upstreamHead(head: RequestEditor, x: Exchange): void {
            if (strip) reader.strip(head)
            const claims = claimsOf(x)
            for (const [header, claim] of forwarded) {
              removeLookalikes(head, header)
              const text = claims === undefined ? undefined : claimText(claims, claim)
              if (text !== undefined) head.set(header, text)
            }
          },
        }
      : {}),
  }
}

interface Checks {
  readonly verify: JWTVerifyOptions
  /** Wall-clock milliseconds until which verified claims are good. */
  readonly goodUntil: (claims: Claims) => number
}

function checksOf(options: JwtAuthOptions, path: string): Checks {
  const toleranceMs = parseDuration(options.clockTolerance ?? '5s', `${path}.clockTolerance`)
  const maxAgeMs =
    options.maxAge === undefined ? Infinity : parseDuration(options.maxAge, `${path}.maxAge`)
  const requiredClaims = listOption(
    options.requiredClaims ?? ['exp'],
    `${path}.requiredClaims`,
  ).map((name, index) => textOption(name, `${path}.requiredClaims[${index}]`))
  const names = (value: string | readonly string[], at: string): string[] => {
    const list = typeof value === 'string' ? [value] : listOption(value, at)
    if (list.length === 0) throw invalidOption(at, 'must name one at least')
    return list.map((one, index) => {
      if (typeof one === 'string' && one !== '') return one
      throw invalidOption(`${at}[${index}]`, `${shown(one)} is no name`)
    })
  }
  return {
    verify: {
      algorithms: [
        ...jwtAlgorithms(options.algorithms, options.secret !== undefined, `${path}.algorithms`),
      ],
      clockTolerance: toleranceMs / 1000,
      requiredClaims,
      ...(maxAgeMs === Infinity ? {} : { maxTokenAge: maxAgeMs / 1000 }),
      ...(options.issuer === undefined ? {} : { issuer: names(options.issuer, `${path}.issuer`) }),
      ...(options.audience === undefined
        ? {}
        : { audience: names(options.audience, `${path}.audience`) }),
      ...(options.type === undefined ? {} : { typ: textOption(options.type, `${path}.type`) }),
    },
    goodUntil: ({ exp, iat }) =>
      Math.min(
        typeof exp === 'number' ? exp * 1000 + toleranceMs : Infinity,
        typeof iat === 'number' ? iat * 1000 + maxAgeMs + toleranceMs : Infinity,
      ),
  }
}
