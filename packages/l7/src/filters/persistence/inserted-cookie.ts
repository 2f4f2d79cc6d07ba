import {
  type Duration,
  flagOption,
  invalidOption,
  objectOption,
  type Pool,
  parseDuration,
  shown,
  untried,
} from '@steelyard/core'
import type { Exchange } from '../../exchange/exchange.ts'
import type { FieldEditor, ResponseEditor } from '../../exchange/field-editor.ts'
import type { HttpFilter } from '../../exchange/http-filter.ts'
import { editCookieLine, isRemoval, readSetCookie, writeSetCookie } from '../cookie-text.ts'
import { tokenOption } from '../field-option.ts'
import { wordOption } from '../number-option.ts'
import { type CookieClaim, type CookieValueKind, cookieValues } from './cookie-value.ts'
import { type Secret, secretsOption } from './secret-option.ts'

/** How {@link insertedCookie} keeps clients with their member. */
export interface InsertedCookieOptions {
  /** Default `SRV`. Routes to different pools need different names, or paths. */
  readonly name?: string
  /**
   * `insert`: a cookie of our own. `prefix`: the application's cookie of that name is given the member's name and `~`
   * in front, which the member never sees. `rewrite`: the application sends a cookie of that name, and its value is
   * replaced. Default `insert`.
   */
  readonly mode?: 'insert' | 'prefix' | 'rewrite'
  /**
   * What names the member. `id-hash` and `address-hash`: 128 bits of the SHA-256 of its id or address; with
   * {@link InsertedCookieOptions.secret} an HMAC, from which nobody can guess addresses. `id`: its id as it is, for all
   * to see. `signed`: its id and the time, with an HMAC; nobody can choose a member. Default `id-hash`.
   */
  readonly value?: CookieValueKind
  /** One of 16 bytes or more, or several: the first one signs, and cookies by the others are still believed and replaced. Needed for `signed`. */
  readonly secret?: Secret | readonly Secret[]
  /** Default `/`. */
  readonly path?: string
  /** Default: none, that is the host that was asked only. */
  readonly domain?: string
  /** `auto`: when the client came by https. Default `auto`. */
  readonly secure?: boolean | 'auto'
  /** Default `true`. */
  readonly httpOnly?: boolean
  /** Default `Lax`. `None` needs Secure. */
  readonly sameSite?: 'Strict' | 'Lax' | 'None'
  /** How long browsers keep it, in whole seconds. Default: as long as they are open. */
  readonly maxAge?: Duration
  /** Sends it with each response, so that `maxAge` counts from the last one. Default `false`. */
  readonly renew?: boolean
  /** Of `signed`: older cookies are not believed, however often they were used. Default 0: any age. */
  readonly maxLife?: Duration
  /** Of `signed`: cookies that were not used for so long are not believed. Default 0: any time. */
  readonly maxIdle?: Duration
  /** Of `insert`: the cookie is removed before the request goes to the member. Default `true`. */
  readonly indirect?: boolean
  /** Adds `Cache-Control: private` to responses that set it, so that no shared cache hands one client's member to all. Default `true`. */
  readonly nocache?: boolean
  /** Of `insert`: sets it with responses to POST only. Default `false`. */
  readonly postOnly?: boolean
  /** Of `insert`: a cookie of that name which the member sets itself stays, instead of ours. Default `false`. */
  readonly preserve?: boolean
  /** Clients of a draining member stay with it, or move to another. Default `keep`. */
  readonly whenDraining?: 'keep' | 'move'
}

const delimiter = '~'

/**
 * Keeps each client with the member that served it first, by a cookie (HAProxy's `cookie`, Octavia's HTTP_COOKIE). A
 * member that cannot take the request, or that failed it, is left for the next one, and the cookie follows.
 *
 * @example
 * ```ts
 * import { insertedCookie } from '@steelyard/l7'
 *
 * const sticky = insertedCookie({ name: 'SRV', value: 'address-hash', maxAge: '1h' })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function insertedCookie(
  options: InsertedCookieOptions = {},
  path = 'insertedCookie',
): HttpFilter {
  objectOption(options, path)
  const name = tokenOption(options.name ?? 'SRV', `${path}.name`)
  const mode = wordOption(options.mode ?? 'insert', ['insert', 'prefix', 'rewrite'], `${path}.mode`)
  const values = valuesOf(options, name, path)
  const attributes = attributesOf(options, name, path)
  const secure = secureOption(options, path)
  const renew = flagOption(options.renew ?? false, `${path}.renew`)
  const indirect = flagOption(options.indirect ?? true, `${path}.indirect`)
  const nocache = flagOption(options.nocache ?? true, `${path}.nocache`)
  const postOnly = flagOption(options.postOnly ?? false, `${path}.postOnly`)
  const preserve = flagOption(options.preserve ?? false, `${path}.preserve`)
  const whenDraining = wordOption(
    options.whenDraining ?? 'keep',
    ['keep', 'move'],
    `${path}.whenDraining`,
  )
  const key = {}

  /** What the client's cookie says; null when there is none, or none that is good. */
  function claimOf(x: Exchange, pool: Pool): CookieClaim | null {
    const known = x.recall(key)
    if (known !== undefined) return known as CookieClaim | null
    let value = x.request.cookie(name)
    if (value !== undefined && mode === 'prefix') {
      const end = value.indexOf(delimiter)
      value = end < 0 ? undefined : value.slice(0, end)
    }
    const claim = value === undefined ? null : (values.read(pool, value, x.clock.wallNow()) ?? null)
    x.remember(key, claim)
    return claim
  }

  function insert(head: ResponseEditor, x: Exchange, value: () => string, wanted: boolean): void {
    const theirs = head.all('set-cookie').some((line) => readSetCookie(line)?.name === name)
    if (theirs) {
      if (preserve) return
      changeSetCookies(head, name, () => undefined)
    }
    if (!(wanted || theirs) || (postOnly && x.request.method !== 'POST')) return
    const flag = secure === true || (secure === 'auto' && x.request.scheme === 'https')
    head.add('set-cookie', `${name}=${value()}${attributes}${flag ? '; Secure' : ''}`)
    if (nocache) makePrivate(head)
  }

  const responseHead = (head: ResponseEditor, x: Exchange): void => {
    const { backend, pool } = x
    if (backend === undefined || pool === undefined) return
    const claim = claimOf(x, pool)
    const same = claim !== null && claim.id === backend.id
    const value = (): string =>
      values.write(pool, backend, same ? claim : undefined, x.clock.wallNow())
    if (mode === 'insert') return insert(head, x, value, !same || claim.old || renew)
    const changed = changeSetCookies(head, name, (theirs) =>
      mode === 'rewrite' ? value() : `${value()}${delimiter}${theirs}`,
    )
    if (changed && nocache) makePrivate(head)
  }

  const filter: HttpFilter = {
    name: 'inserted-cookie',
    prefer(x, pool) {
      const claim = claimOf(x, pool)
      if (claim === null) return undefined
      if (whenDraining === 'move' && pool.slotOf(claim.id, untried, false) < 0) return undefined
      return claim.id
    },
    responseHead,
  }
  if (mode === 'rewrite' || (mode === 'insert' && !indirect)) return filter
  return {
    ...filter,
    upstreamHead(head) {
      changeCookies(head, name, (value) => {
        if (mode === 'insert') return undefined
        return value.slice(value.indexOf(delimiter) + 1)
      })
    },
  }
}

/** Changes or removes the cookies of that name on their way to the member. */
function changeCookies(
  head: FieldEditor,
  name: string,
  change: (value: string) => string | undefined,
): void {
  const lines = head.all('cookie')
  const edited = lines.map((line) => editCookieLine(line, name, change))
  if (edited.every((line, index) => line === lines[index])) return
  head.remove('cookie')
  for (const line of edited) if (line !== undefined) head.add('cookie', line)
}

/** Changes or removes the cookies of that name on their way to the client, except those that end one; was there any? */
function changeSetCookies(
  head: FieldEditor,
  name: string,
  change: (value: string) => string | undefined,
): boolean {
  const lines = head.all('set-cookie')
  let changed = false
  const edited = lines.map((line) => {
    const cookie = readSetCookie(line)
    if (cookie === undefined || cookie.name !== name) return line
    const value = isRemoval(cookie) || cookie.value === '' ? cookie.value : change(cookie.value)
    if (value === cookie.value) return line
    changed = true
    return value === undefined ? undefined : writeSetCookie({ ...cookie, value })
  })
  if (!changed) return false
  head.remove('set-cookie')
  for (const line of edited) if (line !== undefined) head.add('set-cookie', line)
  return true
}

/** RFC 9111 section 5.2.2.7; what is stricter already stays. */
function makePrivate(head: FieldEditor): void {
  const directives = head
    .all('cache-control')
    .flatMap((line) => line.split(','))
    .map((directive) => directive.trim())
    .filter((directive) => directive !== '')
  const named = directives.map((directive) => directive.toLowerCase())
  if (named.includes('no-store') || named.includes('private')) return
  const kept = directives.filter(
    (_, index) => named[index] !== 'public' && !named[index]!.startsWith('s-maxage'),
  )
  head.set('cache-control', [...kept, 'private'].join(', '))
}

function valuesOf(
  options: InsertedCookieOptions,
  name: string,
  path: string,
): ReturnType<typeof cookieValues> {
  const kind = wordOption(
    options.value ?? 'id-hash',
    ['id-hash', 'address-hash', 'id', 'signed'],
    `${path}.value`,
  )
  const secrets =
    options.secret === undefined ? [] : secretsOption(options.secret, `${path}.secret`)
  if (kind === 'signed' && secrets.length === 0) {
    throw invalidOption(`${path}.secret`, 'signed cookies need a secret')
  }
  const ages = {
    maxLifeMs: parseDuration(options.maxLife ?? 0, `${path}.maxLife`),
    maxIdleMs: parseDuration(options.maxIdle ?? 0, `${path}.maxIdle`),
  }
  if (kind !== 'signed' && ages.maxLifeMs + ages.maxIdleMs > 0) {
    const field = ages.maxLifeMs > 0 ? 'maxLife' : 'maxIdle'
    throw invalidOption(
      `${path}.${field}`,
      'only signed cookies know their age: set value to signed',
    )
  }
  return cookieValues(kind, name, secrets, ages)
}

/** Everything behind the value, except Secure. */
function attributesOf(options: InsertedCookieOptions, name: string, path: string): string {
  const { path: cookiePath = '/', domain, maxAge } = options
  if (typeof cookiePath !== 'string' || !/^\/[\x20-\x3a\x3c-\x7e]{0,1023}$/.test(cookiePath)) {
    throw invalidOption(`${path}.path`, `${shown(cookiePath)} is no path of a cookie`)
  }
  let text = `; Path=${cookiePath}`
  if (domain !== undefined) {
    if (typeof domain !== 'string' || !/^[0-9a-z.-]{1,255}$/i.test(domain)) {
      throw invalidOption(`${path}.domain`, `${shown(domain)} is no domain`)
    }
    text += `; Domain=${domain}`
  }
  if (maxAge !== undefined) {
    text += `; Max-Age=${Math.floor(parseDuration(maxAge, `${path}.maxAge`) / 1000)}`
  }
  if (flagOption(options.httpOnly ?? true, `${path}.httpOnly`)) text += '; HttpOnly'
  text += `; SameSite=${wordOption(
    options.sameSite ?? 'Lax',
    ['Strict', 'Lax', 'None'],
    `${path}.sameSite`,
  )}`
  // Browsers refuse these names otherwise (RFC 6265bis section 4.1.3).
  if (name.startsWith('__Host-') && (cookiePath !== '/' || domain !== undefined)) {
    throw invalidOption(`${path}.name`, 'a __Host- cookie has path / and no domain')
  }
  return text
}

function secureOption(options: InsertedCookieOptions, path: string): boolean | 'auto' {
  const { secure = 'auto', name = '', sameSite } = options
  if (secure !== 'auto') flagOption(secure, `${path}.secure`)
  const needed = sameSite === 'None' || /^__(?:Host|Secure)-/.test(name)
  if (secure === false && needed) {
    throw invalidOption(`${path}.secure`, 'SameSite=None, __Host- and __Secure- cookies need it')
  }
  return secure
}
