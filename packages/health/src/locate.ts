import { invalidOption, shown, textOption } from '@steelyard/core'
import { type Endpoint, parseEndpoint, tryParseAddress } from '@steelyard/core/ip'
import type { ProbeTarget } from './probe.ts'

/** Where a check probes, if not at the backend's own address. */
export interface LocateOptions {
  /** Another address for all targets: an IP address, a host name, `host:port` or `unix:/path`. Default: the target's own. */
  readonly address?: string
  /** Another port, such as that of a health endpoint. Default: the target's own. A unix socket has none, and stays as it is. */
  readonly port?: number
}

/**
 * Makes the function that finds where a target is probed. It answers with the same object for the same
 * target, so that probes can keep connections by it.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function locator(
  options: LocateOptions,
  path: string,
): (target: ProbeTarget) => ProbeTarget {
  const { port } = options
  if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65_535)) {
    throw invalidOption(
      `${path}.port`,
      `${shown(port)} is not a port: use a whole number from 1 to 65535`,
    )
  }
  const fixed =
    options.address === undefined ? undefined : parsed(options.address, `${path}.address`)
  if (fixed === undefined && port === undefined) return (target) => target
  const located = new WeakMap<ProbeTarget, ProbeTarget>()
  return (target) => {
    let found = located.get(target)
    if (found === undefined) located.set(target, (found = moved(target, fixed, port)))
    return found
  }
}

function parsed(address: string, path: string): Endpoint {
  const ip = tryParseAddress(textOption(address, path))
  if (ip !== undefined) return parseEndpoint(ip.family === 6 ? `[${ip.text}]:0` : `${ip.text}:0`)
  return parseEndpoint(/:\d+$|^unix:/.test(address) ? address : `${address}:0`, path)
}

function moved(
  target: ProbeTarget,
  fixed: Endpoint | undefined,
  port: number | undefined,
): ProbeTarget {
  if (fixed?.path !== undefined) {
    return Object.freeze({ address: fixed.text, host: fixed.path, port: 0 })
  }
  const host = fixed?.host ?? target.host
  if (fixed === undefined && target.port === 0) return target
  const at = port ?? (fixed?.port || target.port)
  return Object.freeze({
    address: host.includes(':') ? `[${host}]:${at}` : `${host}:${at}`,
    host,
    port: at,
  })
}
