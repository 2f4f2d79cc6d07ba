import type { SocketAddress } from '@steelyard/core'

/** What libuv and Node fill in for an address. */
export interface RawAddress {
  address?: string
  port?: number
  family?: string | number
}

/** An end that the kernel no longer knows, or that has no name, such as a client's end of a unix socket. */
export const unnamed: SocketAddress = Object.freeze({ address: '', port: 0, family: 4 })

/** The unnamed end of a unix socket. */
export const unnamedUnix: SocketAddress = Object.freeze({ address: '', port: 0, family: 'unix' })

/** The end that is bound to a path. */
export function unixAddress(path: string): SocketAddress {
  return { address: path, port: 0, family: 'unix', path }
}

/** An IP end; an IPv4 peer of a dual-stack socket, `::ffff:192.0.2.1`, is given as IPv4. */
export function ipAddress(raw: RawAddress): SocketAddress {
  const { address, port } = raw
  if (address === undefined) return unnamed
  if (!address.includes(':')) return { address, port: port ?? 0, family: 4 }
  if (address.startsWith('::ffff:') && address.includes('.')) {
    return { address: address.slice(7), port: port ?? 0, family: 4 }
  }
  return { address, port: port ?? 0, family: 6 }
}

/** For messages: `192.0.2.1:80`, `[2001:db8::1]:80`, `unix:/run/x.sock`. */
export function addressText({ address, port, family, path }: SocketAddress): string {
  if (family === 'unix') return path === undefined ? 'unix socket' : `unix:${path}`
  if (address === '') return 'unknown address'
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`
}
