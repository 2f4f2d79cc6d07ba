import { isIP } from 'node:net'
import { invalidOption, objectOption, shown } from '@steelyard/core'
import type { ProbeTarget } from '../probe.ts'

/** How a probe's socket is opened. */
export interface SocketOptions {
  /** Source address to bind, an IP address. Default: the system chooses. */
  readonly source?: string
}

/** Checks {@link SocketOptions}. */
export function sourceOf(options: SocketOptions, path: string): string | undefined {
  const { source } = objectOption(options, path)
  if (source === undefined || (typeof source === 'string' && isIP(source) !== 0)) return source
  throw invalidOption(`${path}.source`, `${shown(source)} is not an IP address`)
}

/** What `net.connect` and `tls.connect` are told. */
export type ConnectOptions =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly localAddress?: string }

/** Where and whence to connect. */
export function connectOptions(target: ProbeTarget, source: string | undefined): ConnectOptions {
  const { host, port } = target
  if (isUnix(target)) return { path: host }
  return source === undefined ? { host, port } : { host, port, localAddress: source }
}

/** Is the target a unix socket? */
export function isUnix(target: ProbeTarget): boolean {
  return target.address.startsWith('unix:')
}
