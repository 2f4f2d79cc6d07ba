import { createHmac, randomBytes } from 'node:crypto'
import {
  type Clock,
  clockOption,
  type Duration,
  flagOption,
  functionOption,
  invalidOption,
  objectOption,
  parseDuration,
  shown,
  systemClock,
  textOption,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { RequestEditor } from '../exchange/field-editor.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Verdict } from '../exchange/reply.ts'
import { credentialsOf, fieldText, quotedRealm } from './auth/challenge.ts'
import { matchesHash, type ScryptHash, sameText, scryptHash } from './auth/password.ts'
import { verifiedCache } from './auth/verified-cache.ts'
import { fieldNameOption } from './field-option.ts'
import { removeLookalikes } from './lookalikes.ts'
import { wholeOption } from './number-option.ts'
import { type RefusalOptions, refusal } from './refusal.ts'

/** A password: its scrypt hash as `hashPassword` makes it, or itself, which whoever reads the configuration then knows. */
export type BasicPassword = string | { readonly plain: string }

/** Whom {@link basicAuth} lets in. */
export interface BasicAuthOptions extends RefusalOptions {
  /** By name. */
  readonly users?: Readonly<Record<string, BasicPassword>>
  /** Asked for names that are not in `users`: a directory, or another kind of hash. */
  readonly verify?: (name: string, password: string) => boolean | Promise<boolean>
  /** Default `restricted`. */
  readonly realm?: string
  /** The header that tells the backend who it is; what the client sent under that name never gets there. Default: none. */
  readonly userHeader?: string
  /** Takes Authorization away before the request goes to the backend. Default `true`. */
  readonly strip?: boolean
  /** How many verified credentials are remembered, by a keyed hash. Default 1000; 0 for none. */
  readonly cacheSize?: number
  /** For how long; a password that was changed is good for so long. Default `5m`. */
  readonly cacheFor?: Duration
  /** Verifications under way at one time, each with a thread's work; beyond it 503. Default 16. */
  readonly maxPending?: number
  readonly clock?: Clock
}

/** Longer credentials are not looked at. */
const longest = 2048

/**
 * Basic authentication (RFC 7617, UTF-8). Answers 401 (`auth-required`) with a challenge. What was verified is
 * remembered for a while, so that the cost of the hash is not paid for each request; a name that does not exist
 * takes as long as a wrong password.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function basicAuth(options: BasicAuthOptions, path = 'basicAuth'): HttpFilter {
  const { users = {}, verify } = objectOption(options, path)
  if (options.users === undefined && verify === undefined) {
    throw invalidOption(path, 'lets nobody in: give it users or verify')
  }
  const entries = entriesOf(users, `${path}.users`)
  if (verify !== undefined) functionOption(verify, `${path}.verify`)
  const realm = quotedRealm(options.realm ?? 'restricted', `${path}.realm`)
  const challenge = { 'www-authenticate': `Basic realm=${realm}, charset="UTF-8"` }
  const required = refusal(options, path, 401, 'auth-required').with(challenge)
  const busy = refusal({}, path, 503, 'auth-busy').after(1000)
  const failed = refusal({}, path, 503, 'auth-service-failed').reply
  const userHeader =
    options.userHeader === undefined
      ? undefined
      : fieldNameOption(options.userHeader, `${path}.userHeader`)
  const strip = flagOption(options.strip ?? true, `${path}.strip`)
  const maxPending = wholeOption(options.maxPending ?? 16, `${path}.maxPending`, 1, 1024, 'bound')
  const cacheForMs = parseDuration(options.cacheFor ?? '5m', `${path}.cacheFor`)
  const cacheSize = wholeOption(
    options.cacheSize ?? 1000,
    `${path}.cacheSize`,
    0,
    1_000_000,
    'bound',
  )
  const cache = verifiedCache<string>(cacheForMs === 0 ? 0 : cacheSize)
  const clock = clockOption(options.clock ?? systemClock, `${path}.clock`)
  /** A dump of our memory must not give passwords away. */
  const cacheKey = randomBytes(32)
  /** Those who come with the same credentials meanwhile wait for the same answer. */
  const pending = new Map<string, Promise<boolean>>()
  const decoy = decoyOf(entries)

  function check(name: string, password: string): boolean | Promise<boolean> {
    const entry = entries.get(name)
    if (entry === undefined) {
      if (verify !== undefined) return verify(name, password)
      if (decoy !== undefined) return matchesHash(password, decoy).then(() => false)
      // As long as a wrong password takes.
      sameText(password, name)
      return false
    }
    return typeof entry === 'string' ? sameText(password, entry) : matchesHash(password, entry)
  }

  function admit(x: Exchange, key: string, name: string): undefined {
    cache.set(key, name, clock.now() + cacheForMs)
    rememberUser(x, name)
  }

  function verified(
    x: Exchange,
    key: string,
    name: string,
    password: string,
  ): Verdict | Promise<Verdict> {
    let answer = pending.get(key)
    if (answer === undefined) {
      if (pending.size >= maxPending) return busy
      let checked: boolean | Promise<unknown>
      try {
        const answer: unknown = check(name, password)
        checked = answer instanceof Promise ? answer : answer === true
      } catch (error) {
        x.log.error({ error, id: x.id }, 'credentials could not be verified')
        return failed
      }
      if (typeof checked !== 'object') return checked ? admit(x, key, name) : required
      // A verifier in plain JavaScript may come to anything: only true lets in.
      answer = checked.then((good) => good === true).finally(() => pending.delete(key))
      pending.set(key, answer)
    }
    return answer.then(
      (good) => (good ? admit(x, key, name) : required),
      (error: unknown) => {
        x.log.error({ error, id: x.id }, 'credentials could not be verified')
        return failed
      },
    )
  }

  return {
    name: 'basic-auth',
    request(x) {
      const lines = x.request.headerAll('authorization')
      const token = lines.length === 1 ? credentialsOf(lines[0], 'basic') : undefined
      if (token === undefined || token.length > longest) return required
      const key = createHmac('sha256', cacheKey).update(token).digest('base64')
      const known = cache.get(key, clock.now())
      if (known !== undefined) {
        rememberUser(x, known)
        return undefined
      }
      const pair = pairOf(token)
      return pair === undefined ? required : verified(x, key, pair[0], pair[1])
    },
    ...(strip || userHeader !== undefined
      ? {
          upstreamHead(head: RequestEditor, x: Exchange): void {
            if (strip) head.remove('authorization')
            if (userHeader === undefined) return
            removeLookalikes(head, userHeader)
            const text = fieldText(userOf(x) ?? '')
            if (text !== undefined && text !== '') head.set(userHeader, text)
          },
        }
      : {}),
  }
}

/** By which the name is remembered. */
const user: object = Object.freeze({})

function rememberUser(x: Exchange, name: string): void {
  x.remember(user, name)
}

/** The name of the user that `basicAuth` has verified for this exchange; undefined when there was none. */
export function userOf(x: Exchange): string | undefined {
  return x.recall(user) as string | undefined
}

function entriesOf(
  users: Readonly<Record<string, BasicPassword>>,
  path: string,
): ReadonlyMap<string, string | ScryptHash> {
  const entries = new Map<string, string | ScryptHash>()
  for (const [name, password] of Object.entries(objectOption(users, path))) {
    const at = `${path}.${name}`
    if (name === '' || name.includes(':') || fieldText(name) === undefined) {
      throw invalidOption(
        at,
        `${shown(name)} is no user name: it must not be empty, nor have colons or control characters`,
      )
    }
    const plain = typeof password === 'object' ? objectOption(password, at).plain : undefined
    const text = plain === undefined ? undefined : textOption(plain, `${at}.plain`)
    if (text === '') throw invalidOption(`${at}.plain`, 'must not be empty')
    entries.set(name.normalize('NFC'), text ?? scryptHash(password as string, at))
  }
  return entries
}

/** What is hashed for names that do not exist: as costly as the costliest that do. */
function decoyOf(entries: ReadonlyMap<string, string | ScryptHash>): ScryptHash | undefined {
  let costliest: ScryptHash | undefined
  for (const entry of entries.values()) {
    if (typeof entry === 'string') continue
    if (
      costliest === undefined ||
      entry.logN * entry.r * entry.p > costliest.logN * costliest.r * costliest.p
    ) {
      costliest = entry
    }
  }
  return costliest === undefined
    ? undefined
    : { ...costliest, salt: randomBytes(16), key: randomBytes(costliest.key.length) }
}

/** Name and password; undefined when it is no pair (RFC 7617 section 2). */
function pairOf(token: string): readonly [name: string, password: string] | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(token)) return undefined
  const text = Buffer.from(token, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  const hasControl = fieldText(text) === undefined || text.includes('\ufffd')
  if (colon < 1 || hasControl) return undefined
  return [text.slice(0, colon).normalize('NFC'), text.slice(colon + 1)]
}
