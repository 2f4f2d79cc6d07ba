import { createHash, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { Backend, Pool } from '@steelyard/core'
import { type MemberNames, memberNames } from './member-names.ts'

/** What a cookie says. */
export interface CookieClaim {
  /** The member. */
  readonly id: string
  /** It is good, but should be written anew: by an old secret, or long ago. */
  readonly old: boolean
  /** When it was first written; seconds since the epoch, 0 when it does not say. */
  readonly firstAt: number
}

/** Writes and reads the values of cookies that name a member. They consist of letters, digits, `-`, `_`, `.` and `%`. */
export interface CookieValues {
  /** @param claim - what the client's cookie said, when it was this member. */
  write(pool: Pool, backend: Backend, claim: CookieClaim | undefined, wallMs: number): string
  /** Undefined for what does not name a member, is no longer good, or was not written by us. */
  read(pool: Pool, value: string, wallMs: number): CookieClaim | undefined
}

/** What a cookie's value is. */
export type CookieValueKind = 'id-hash' | 'address-hash' | 'id' | 'signed'

/** Longer values are none of ours. */
const longest = 1024
const macBytes = 16
/** Nodes that share a secret need not agree on the time to the second. */
const skewSeconds = 300

/** How old a signed cookie may get; 0 for any age. */
export interface CookieAges {
  readonly maxLifeMs: number
  readonly maxIdleMs: number
}

/** Makes {@link CookieValues}. */
export function cookieValues(
  kind: CookieValueKind,
  cookieName: string,
  secrets: readonly KeyObject[],
  ages: CookieAges,
): CookieValues {
  if (kind === 'signed') return signedValues(cookieName, secrets, ages)
  return namedValues(memberNames(naming(kind, secrets)))
}

function naming(
  kind: 'id-hash' | 'address-hash' | 'id',
  secrets: readonly KeyObject[],
): (backend: Backend) => readonly string[] {
  if (kind === 'id') return ({ id }) => [plain(id)]
  const text = (backend: Backend): string => (kind === 'id-hash' ? backend.id : backend.address)
  if (secrets.length === 0) {
    return (backend) => [short(createHash('sha256').update(text(backend)).digest())]
  }
  return (backend) =>
    secrets.map((secret) => short(createHmac('sha256', secret).update(text(backend)).digest()))
}

/** Percent-encoded, also what has a meaning in our own values. */
function plain(id: string): string {
  return encodeURIComponent(id.toWellFormed()).replaceAll(
    /[!'()*~]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function short(digest: Buffer): string {
  return digest.subarray(0, macBytes).toString('base64url')
}

function namedValues(names: MemberNames): CookieValues {
  return {
    write: (pool, backend) => names.nameOf(pool, backend),
    read(pool, value) {
      const member = value.length > longest ? undefined : names.find(pool, value)
      return member === undefined ? undefined : { id: member.id, old: member.old, firstAt: 0 }
    },
  }
}

/** `id.first.last.mac`: the id in base64url, both times in seconds to the base 36. */
function signedValues(
  cookieName: string,
  secrets: readonly KeyObject[],
  { maxLifeMs, maxIdleMs }: CookieAges,
): CookieValues {
  // The cookie's name is signed with it, so that a value does not pass for that of another cookie.
  const mac = (body: string, secret: KeyObject): Buffer =>
    createHmac('sha256', secret).update(`${cookieName}=${body}`).digest().subarray(0, macBytes)
  return {
    write(_pool, backend, claim, wallMs) {
      const now = Math.floor(wallMs / 1000)
      const first = claim === undefined || claim.firstAt === 0 ? now : claim.firstAt
      const id = Buffer.from(backend.id).toString('base64url')
      const body = `${id}.${first.toString(36)}.${now.toString(36)}`
      return `${body}.${mac(body, secrets[0]!).toString('base64url')}`
    },
    read(_pool, value, wallMs) {
      if (value.length > longest) return undefined
      const match = /^([\w-]{1,900})\.([0-9a-z]{1,9})\.([0-9a-z]{1,9})\.([\w-]{22})$/.exec(value)
      if (match === null) return undefined
      const [, id, first, last, given] = match as unknown as [
        string,
        string,
        string,
        string,
        string,
      ]
      const theirs = Buffer.from(given, 'base64url')
      const body = `${id}.${first}.${last}`
      const by = secrets.findIndex((secret) => timingSafeEqual(mac(body, secret), theirs))
      if (by < 0) return undefined
      const firstAt = Number.parseInt(first, 36)
      const lastAt = Number.parseInt(last, 36)
      const now = wallMs / 1000
      if (firstAt > now + skewSeconds || lastAt > now + skewSeconds) return undefined
      if (maxLifeMs > 0 && (now - firstAt) * 1000 > maxLifeMs) return undefined
      const idleMs = (now - lastAt) * 1000
      if (maxIdleMs > 0 && idleMs > maxIdleMs) return undefined
      return {
        id: Buffer.from(id, 'base64url').toString(),
        // Often enough that it does not run out under a client which is there, seldom enough to cost nothing.
        old: by > 0 || (maxIdleMs > 0 && idleMs > maxIdleMs / 8),
        firstAt,
      }
    },
  }
}
