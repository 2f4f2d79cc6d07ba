import { type Agent, METHODS } from 'node:http'
import type { ServerOptions as HttpsServerOptions } from 'node:https'
import { isIP } from 'node:net'
import {
  type Clock,
  clockOption,
  flagOption,
  invalidOption,
  listOption,
  objectOption,
  oneOrMore,
  partOption,
  shown,
  systemClock,
  textOption,
} from '@steelyard/core'
import { plainAuthority } from '../filters/rewrite-location/url-text.ts'
import { fieldProblem } from '../wire/checked-field.ts'
import type { FollowRedirects, RewriteMap, ServerOptions } from './server-options.ts'
import { type Target, targetOption } from './target.ts'

/** How redirects are followed, read. */
export interface RedirectSettings {
  readonly max: number
  /** As `plainAuthority` writes them. */
  readonly hosts: ReadonlySet<string>
}

/** {@link ServerOptions}, checked and completed. */
export interface ProxySettings {
  target: Target | undefined
  forward: Target | undefined
  /** Undefined: the server's own. */
  agent: Agent | false | undefined
  ssl: HttpsServerOptions | undefined
  ws: boolean
  xfwd: 'off' | 'replace' | 'append'
  secure: boolean
  toProxy: boolean
  prependPath: boolean
  ignorePath: boolean
  localAddress: string | undefined
  changeOrigin: boolean
  preserveHeaderKeyCase: boolean
  auth: string | undefined
  hostRewrite: string | undefined
  autoRewrite: boolean
  protocolRewrite: 'http' | 'https' | undefined
  cookieDomainRewrite: ReadonlyMap<string, string> | undefined
  cookiePathRewrite: ReadonlyMap<string, string> | undefined
  headers: readonly (readonly [lowerName: string, value: string | string[]])[]
  /** Undefined for the default. */
  proxyTimeout: number | undefined
  timeout: number
  tunnelTimeout: number
  followRedirects: RedirectSettings | undefined
  selfHandleResponse: boolean
  buffer: NodeJS.ReadableStream | undefined
  method: string | undefined
  ca: ServerOptions['ca']
  clock: Clock
}

const defaults: ProxySettings = {
  target: undefined,
  forward: undefined,
  agent: undefined,
  ssl: undefined,
  ws: false,
  xfwd: 'off',
  secure: true,
  toProxy: false,
  prependPath: true,
  ignorePath: false,
  localAddress: undefined,
  changeOrigin: false,
  preserveHeaderKeyCase: false,
  auth: undefined,
  hostRewrite: undefined,
  autoRewrite: false,
  protocolRewrite: undefined,
  cookieDomainRewrite: undefined,
  cookiePathRewrite: undefined,
  headers: [],
  proxyTimeout: undefined,
  timeout: 0,
  tunnelTimeout: 3_600_000,
  followRedirects: undefined,
  selfHandleResponse: false,
  buffer: undefined,
  method: undefined,
  ca: undefined,
  clock: systemClock,
}

type Reader<K extends keyof ProxySettings> = (
  value: NonNullable<ServerOptions[K]>,
  path: string,
) => ProxySettings[K]

const readers: { readonly [K in keyof ProxySettings]-?: Reader<K> } = {
  target: targetOption,
  forward: targetOption,
  agent: (value, path) =>
    value === false ? false : partOption(value, 'destroy', path, 'hand in an http.Agent, or false'),
  ssl: objectOption,
  ws: flagOption,
  xfwd: (value, path) => (value === 'append' ? value : flagOption(value, path) ? 'replace' : 'off'),
  secure: flagOption,
  toProxy: flagOption,
  prependPath: flagOption,
  ignorePath: flagOption,
  localAddress(value, path) {
    if (typeof value === 'string' && isIP(value) !== 0) return value
    throw invalidOption(path, `${shown(value)} is no IP address`)
  },
  changeOrigin: flagOption,
  preserveHeaderKeyCase: flagOption,
  auth: authOption,
  hostRewrite: (value, path) => authorityOption(value, path),
  autoRewrite: flagOption,
  protocolRewrite(value, path) {
    const scheme = typeof value === 'string' ? value.replace(/:$/, '').toLowerCase() : ''
    if (scheme === 'http' || scheme === 'https') return scheme
    throw invalidOption(path, `${shown(value)} is neither http nor https`)
  },
  cookieDomainRewrite: (value, path) => rewriteOption(value, path, /^[0-9a-z.-]{0,255}$/i),
  cookiePathRewrite: (value, path) => rewriteOption(value, path, /^[\x20-\x3a\x3c-\x7e]{0,1024}$/),
  headers: headersOption,
  proxyTimeout: millisecondsOption,
  timeout: millisecondsOption,
  tunnelTimeout: millisecondsOption,
  followRedirects: redirectsOption,
  selfHandleResponse: flagOption,
  buffer: (value, path) => partOption(value, 'pipe', path, 'hand in a readable stream'),
  method(value, path) {
    const method = typeof value === 'string' ? value.toUpperCase() : ''
    if (METHODS.includes(method) && method !== 'CONNECT' && method !== 'TRACE') return method
    throw invalidOption(path, `${shown(value)} is no method that may pass`)
  },
  ca: (value) => value,
  clock: clockOption,
}

const names = Object.keys(readers) as (keyof ProxySettings)[]

/**
 * Reads options; what they do not have is as in `base`.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function proxySettings(
  options: ServerOptions,
  base: ProxySettings = defaults,
): ProxySettings {
  objectOption(options, 'options')
  const settings: Record<string, unknown> = { ...base }
  for (const name of names) {
    const value = options[name]
    if (value === undefined) continue
    settings[name] =
      value === null
        ? defaults[name]
        : (readers[name] as unknown as Reader<never>)(value as never, name)
  }
  return settings as unknown as ProxySettings
}

function millisecondsOption(value: number, path: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= 0x7fffffff) return value
  throw invalidOption(path, `${shown(value)} is no number of milliseconds from 0 to 2147483647`)
}

function authOption(value: string, path: string): string {
  if (textOption(value, path).includes(':') && !/[\r\n\0]/.test(value)) return value
  // Said without the value: it may be a password.
  throw invalidOption(path, 'is not of the form user:password')
}

function authorityOption(value: unknown, path: string): string {
  if (typeof value === 'string' && /^(?:\[[0-9a-f:.]+\]|[\w.~-]+)(?::\d{1,5})?$/i.test(value)) {
    return value
  }
  throw invalidOption(path, `${shown(value)} is no host or host:port`)
}

function rewriteOption(
  value: false | string | RewriteMap,
  path: string,
  form: RegExp,
): ReadonlyMap<string, string> | undefined {
  if (value === false) return undefined
  const entries =
    typeof value === 'string' ? [['*', value] as const] : Object.entries(objectOption(value, path))
  for (const [from, to] of entries) {
    if (typeof to !== 'string' || !form.test(to)) {
      throw invalidOption(`${path}[${shown(from)}]`, `${shown(to)} cannot stand in a cookie`)
    }
  }
  return new Map(entries)
}

/** Framing is ours, and so is what the connection is for. */
const notToSet: ReadonlySet<string> = new Set([
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

function headersOption(
  value: NonNullable<ServerOptions['headers']>,
  path: string,
): ProxySettings['headers'] {
  const fields: [string, string | string[]][] = []
  for (const [name, given] of Object.entries(objectOption(value, path))) {
    if (given === undefined) continue
    const at = `${path}[${shown(name)}]`
    const lower = name.toLowerCase()
    if (notToSet.has(lower)) {
      throw invalidOption(at, 'frames the message or belongs to the connection: it cannot be set')
    }
    const values = listOption(oneOrMore<unknown>(given), at).map((one) =>
      typeof one === 'number' ? String(one) : textOption(one as string, at),
    )
    for (const one of values) {
      const problem = fieldProblem(name, one)
      if (problem !== undefined) throw invalidOption(at, problem)
    }
    if (lower === 'connection' && !/^(?:close|keep-alive)$/i.test(values.join())) {
      throw invalidOption(at, 'is neither close nor keep-alive')
    }
    fields.push([lower, values.length === 1 ? values[0]! : values])
  }
  return fields
}

function redirectsOption(
  value: boolean | FollowRedirects,
  path: string,
): RedirectSettings | undefined {
  if (value === false) return undefined
  const { max = 5, hosts = [] } = value === true ? {} : objectOption(value, path)
  if (!Number.isInteger(max) || max < 1 || max > 20) {
    throw invalidOption(`${path}.max`, `${shown(max)} is no number from 1 to 20`)
  }
  return {
    max,
    hosts: new Set(
      listOption(hosts, `${path}.hosts`).flatMap((host, index) => {
        const text = authorityOption(host, `${path}.hosts[${index}]`)
        return [plainAuthority(text, 'http') ?? text, plainAuthority(text, 'https') ?? text]
      }),
    ),
  }
}
