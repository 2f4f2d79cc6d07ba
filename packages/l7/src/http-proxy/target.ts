import { isIP } from 'node:net'
import { invalidOption, objectOption, shown } from '@steelyard/core'
import type { ProxyTargetDetailed, ProxyTargetUrl } from './server-options.ts'

/** A target, read. */
export interface Target {
  /** As events get it: a URL for a text, else what was given. */
  readonly given: URL | ProxyTargetDetailed
  readonly secure: boolean
  /** Without brackets. */
  readonly hostname: string
  readonly port: number
  readonly socketPath: string | undefined
  /** For Host and for comparison: without the scheme's usual port. */
  readonly authority: string
  /** Empty, or beginning with `/`. */
  readonly pathname: string
  /** Empty, or beginning with `?`. */
  readonly search: string
  readonly auth: string | undefined
  /** What `tls.connect()` gets; undefined without TLS. */
  readonly tls: Readonly<Record<string, unknown>> | undefined
}

const tlsFields = [
  'pfx',
  'key',
  'passphrase',
  'cert',
  'ca',
  'ciphers',
  'secureProtocol',
] as const satisfies readonly (keyof ProxyTargetDetailed)[]

/**
 * Reads a target.
 *
 * @throws `invalid-option`
 */
export function targetOption(value: ProxyTargetUrl, path: string): Target {
  if (typeof value === 'string') return fromUrl(parsed(value, path), path)
  // Asked first because `instanceof` runs code of a proxy.
  const given = objectOption(value, path)
  return given instanceof URL ? fromUrl(given, path) : fromParts(given, path)
}

function parsed(text: string, path: string): URL {
  // Elsewhere the scheme would be taken for the host: `localhost:8080`.
  if (!/^(?:https?|wss?):\/\//i.test(text) || !URL.canParse(text)) {
    throw invalidOption(path, `${shown(text)} is no http, https, ws or wss URL`)
  }
  return new URL(text)
}

function fromUrl(url: URL, path: string): Target {
  const secure = isSecure(url.protocol, path)
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const user = decoded(url.username, path)
  const password = decoded(url.password, path)
  return Object.freeze({
    given: url,
    secure,
    hostname,
    port: url.port === '' ? usualPort(secure) : Number(url.port),
    socketPath: undefined,
    authority: withoutUsualPort(url.host, secure),
    pathname: url.pathname,
    search: url.search,
    auth: user === '' && password === '' ? undefined : `${user}:${password}`,
    tls: secure ? tlsOf({}, hostname) : undefined,
  })
}

function fromParts(given: ProxyTargetDetailed, path: string): Target {
  const secure = isSecure(given.protocol ?? 'http:', `${path}.protocol`)
  const socketPath = given.socketPath ?? undefined
  if (socketPath !== undefined && (typeof socketPath !== 'string' || socketPath === '')) {
    throw invalidOption(`${path}.socketPath`, `${shown(socketPath)} is no path of a socket`)
  }
  const host = given.hostname ?? given.host ?? (socketPath === undefined ? undefined : 'localhost')
  if (host === undefined) {
    throw invalidOption(path, 'names no host: give host, hostname or socketPath')
  }
  const { hostname, port: hostPort } = hostOption(host, path)
  const port = portOption(given.port ?? hostPort, secure, `${path}.port`)
  const [pathname, search] = pathParts(given, path)
  const bracketed = hostname.includes(':') ? `[${hostname}]` : hostname
  return Object.freeze({
    given,
    secure,
    hostname,
    port,
    socketPath,
    authority: port === usualPort(secure) ? bracketed : `${bracketed}:${port}`,
    pathname,
    search,
    auth: given.auth ?? undefined,
    tls: secure ? tlsOf(given, hostname) : undefined,
  })
}

function tlsOf(given: ProxyTargetDetailed, hostname: string): Readonly<Record<string, unknown>> {
  const tls: Record<string, unknown> = {}
  for (const field of tlsFields) {
    const value = given[field]
    if (value !== undefined) tls[field] = value
  }
  // Otherwise Node verifies the name that the client wrote into Host, and asks for it.
  const name = given.servername ?? (isIP(hostname) === 0 ? hostname : undefined)
  if (name !== undefined) tls['servername'] = name
  return Object.freeze(tls)
}

function isSecure(protocol: unknown, path: string): boolean {
  switch (typeof protocol === 'string' ? protocol.replace(/:$/, '').toLowerCase() : '') {
    case 'https':
    case 'wss':
      return true
    case 'http':
    case 'ws':
      return false
    default:
      throw invalidOption(path, `${shown(protocol)} is none of http:, https:, ws: and wss:`)
  }
}

function hostOption(value: unknown, path: string): { hostname: string; port: string | undefined } {
  const match =
    typeof value === 'string'
      ? /^(?:\[([0-9a-f:.]+)\]|([\w.~-]+))(?::(\d{1,5}))?$|^([0-9a-f:]*:[0-9a-f:.]+(?:%\w+)?)$/i.exec(
          value,
        )
      : null
  const hostname = match?.[1] ?? match?.[2] ?? match?.[4]
  if (hostname === undefined) throw invalidOption(`${path}.host`, `${shown(value)} is no host`)
  return { hostname, port: match![3] }
}

function portOption(value: unknown, secure: boolean, path: string): number {
  if (value === undefined || value === '') return usualPort(secure)
  const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value
  if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw invalidOption(path, `${shown(value)} is no port: use a number from 1 to 65535`)
}

function pathParts(given: ProxyTargetDetailed, path: string): [string, string] {
  const whole = given.path ?? `${given.pathname ?? ''}${given.search ?? ''}`
  if (typeof whole !== 'string' || !/^(?:[/?][\x21-\x7e]*)?$/.test(whole)) {
    throw invalidOption(`${path}.path`, `${shown(whole)} is no path of a URL`)
  }
  const question = whole.indexOf('?')
  return question < 0 ? [whole, ''] : [whole.slice(0, question), whole.slice(question)]
}

function decoded(text: string, path: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalidOption(path, 'the credentials in the URL have an escape that is none')
  }
}

function withoutUsualPort(host: string, secure: boolean): string {
  // URL does not know that of ws and wss.
  return host.replace(secure ? /:443$/ : /:80$/, '')
}

function usualPort(secure: boolean): number {
  return secure ? 443 : 80
}
