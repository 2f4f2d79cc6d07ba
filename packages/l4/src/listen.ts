import { invalidOption, type ListenTarget, objectOption, shown, textOption } from '@steelyard/core'
import { parseEndpoint } from '@steelyard/core/ip'

/** Where a balancer listens: `host:port`, `[v6]:port`, `:port` for every address, `unix:/path`, or the details. */
export type Listen = string | ListenTarget

/**
 * Reads a {@link Listen}.
 *
 * @throws `invalid-option`
 */
export function listenTarget(listen: Listen, path = 'listen'): ListenTarget {
  if (typeof listen === 'string') {
    const endpoint = parseEndpoint(listen, path)
    if (endpoint.path !== undefined) return Object.freeze({ path: endpoint.path })
    return Object.freeze({ host: endpoint.host, port: endpoint.port })
  }
  objectOption(listen, path)
  const ways = [listen.host ?? listen.port, listen.path, listen.fd].filter(
    (way) => way !== undefined,
  )
  if (ways.length !== 1) {
    throw invalidOption(path, 'needs exactly one of host and port, path, or fd')
  }
  const { host, port, fd, backlog } = listen
  if (host !== undefined) textOption(host, `${path}.host`)
  if (listen.path !== undefined) textOption(listen.path, `${path}.path`)
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw invalidOption(`${path}.port`, `${shown(port)} is not a port: use 0 to 65535`)
  }
  if (fd !== undefined && !(Number.isInteger(fd) && fd >= 0)) {
    throw invalidOption(`${path}.fd`, `${shown(fd)} is not a descriptor`)
  }
  if (backlog !== undefined && !(Number.isInteger(backlog) && backlog > 0)) {
    throw invalidOption(
      `${path}.backlog`,
      `${shown(backlog)} is not a backlog: use a whole number from 1`,
    )
  }
  return Object.freeze({ ...listen })
}

/** The target for people: `127.0.0.1:80`, `unix:/run/x.sock`, `fd 3`. */
export function listenText(target: ListenTarget): string {
  if (target.fd !== undefined) return `fd ${target.fd}`
  if (target.path !== undefined) return `unix:${target.path}`
  const host = target.host ?? '::'
  return host.includes(':') ? `[${host}]:${target.port ?? 0}` : `${host}:${target.port ?? 0}`
}
