import { invalidOption } from '../errors.ts'
import { shown } from '../shown.ts'
import { parseAddress } from './address.ts'

/** Where something listens or connects to: an IP address or host name with a port, or a unix socket. */
export interface Endpoint {
  /** IP address in its shortest form, with its zone if it has one, or host name; empty for a unix socket. */
  readonly host: string
  /** 0 to 65535; 0 lets the system choose when listening, and stands for none with a unix socket. */
  readonly port: number
  /** Unix socket path; absent otherwise. */
  readonly path?: string
  /** The normalised text: `host:port`, `[v6]:port`, `unix:/path`. */
  readonly text: string
}

const hostName =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i

/** What `sun_path` holds on Linux, less its closing NUL (unix(7)). */
const longestSocketPath = 107

const textEncoder = new TextEncoder()

/**
 * Reads `host:port`, `[v6]:port`, `:port` (all addresses, both families) or `unix:/path`. The zone of a link-local
 * address (`[fe80::1%eth0]:80`) is kept: without it there is no way to the host.
 *
 * @throws `invalid-option`
 */
export function parseEndpoint(text: string, path = 'address'): Endpoint {
  if (typeof text !== 'string') throw invalidOption(path, `${shown(text)} is not a text`)
  if (text.startsWith('unix:')) {
    const socketPath = text.slice(5)
    if (socketPath === '' || socketPath.includes('\0'))
      throw invalidOption(path, `${shown(text)} names no socket path`)
    if (textEncoder.encode(socketPath).length > longestSocketPath) {
      throw invalidOption(
        path,
        `${shown(text)} is longer than the ${longestSocketPath} bytes a socket path may have`,
      )
    }
    return Object.freeze({ host: '', port: 0, path: socketPath, text })
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw invalidOption(
      path,
      `${shown(text)} is not an endpoint: write host:port, [v6]:port or unix:/path`,
    )
  }
  const [, bracketed, plain] = match
  if (bracketed !== undefined) {
    const address = parseAddress(bracketed, path)
    if (address.family !== 6)
      throw invalidOption(path, `${shown(text)}: brackets are for IPv6 addresses`)
    const zone = bracketed.includes('%') ? bracketed.slice(bracketed.indexOf('%')) : ''
    return ipEndpoint(`${address.text}${zone}`, 6, port)
  }
  if (plain === '') return ipEndpoint('::', 6, port)
  if (/^[\d.]+$/.test(plain!)) return ipEndpoint(parseAddress(plain!, path).text, 4, port)
  if (!hostName.test(plain!))
    throw invalidOption(path, `${shown(plain)} is neither an IP address nor a host name`)
  return Object.freeze({
    host: plain!.toLowerCase(),
    port,
    text: `${plain!.toLowerCase()}:${port}`,
  })
}

function ipEndpoint(host: string, family: 4 | 6, port: number): Endpoint {
  return Object.freeze({ host, port, text: family === 6 ? `[${host}]:${port}` : `${host}:${port}` })
}
