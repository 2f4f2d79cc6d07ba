import { type LookupAddress, lookup } from 'node:dns'
import { isIP } from 'node:net'
import {
  type ConnectTarget,
  invalidOption,
  parseDuration,
  shown,
  textOption,
} from '@steelyard/core'
import { unixAddress } from './socket-address.ts'
import type { NodeStream } from './stream.ts'
import type { Wire, WireTarget } from './wire.ts'

/**
 * Begins to connect a stream over its wire: at once for an address or a path; for a name after the
 * system's resolver has answered, walking on to its next address when one fails.
 *
 * @throws `invalid-option` for a target that cannot be.
 */
export function beginConnect(target: ConnectTarget, stream: NodeStream, wire: Wire): void {
  const { host, port = 0, path, localAddress, localPort = 0 } = target
  const keepAliveMs =
    target.keepAlive === undefined ? 0 : parseDuration(target.keepAlive, 'keepAlive')
  if (path !== undefined) {
    if (host !== undefined) throw invalidOption('path', 'cannot stand beside host: choose one')
    stream.presume(undefined, unixAddress(textOption(path, 'path')))
    stream.attach(wire)
    wire.connect({
      address: path,
      port: 0,
      family: 'unix',
      localAddress: undefined,
      localPort: 0,
      keepAliveMs,
    })
    return
  }
  if (host === undefined || host === '') throw invalidOption('host', 'needs an address or a name')
  checkPort(port, 'port', 1)
  checkPort(localPort, 'localPort', 0)
  const localFamily = typeof localAddress === 'string' ? isIP(localAddress) : 0
  if (localAddress !== undefined && localFamily === 0) {
    throw invalidOption('localAddress', `${shown(localAddress)} is not an IP address`)
  }
  const family = isIP(textOption(host, 'host'))
  const common = { port, localAddress, localPort, keepAliveMs }
  stream.presume(undefined, { address: host, port, family: family === 6 ? 6 : 4 })
  if (family !== 0) {
    stream.attach(wire)
    wire.connect({ address: host, family: family as 4 | 6, ...common })
    return
  }
  lookup(host, { all: true, family: localFamily }, (error, addresses) => {
    if (stream.state !== 'connecting') return
    if (error !== null) return stream.wireFailed(error, 'connect')
    stream.attach(wire)
    tryNext(stream, wire, addresses, common)
  })
}

function tryNext(
  stream: NodeStream,
  wire: Wire,
  addresses: readonly LookupAddress[],
  common: Omit<WireTarget, 'address' | 'family'>,
): void {
  const [first, ...others] = addresses
  if (first === undefined) return stream.wireFailed({ code: 'ENOTFOUND' }, 'connect')
  stream.retryConnect =
    others.length === 0
      ? undefined
      : () => {
          tryNext(stream, wire, others, common)
          return true
        }
  const family = first.family === 6 ? 6 : 4
  stream.presume(undefined, { address: first.address, port: common.port, family })
  wire.connect({ address: first.address, family, ...common })
}

function checkPort(port: number, path: string, least: number): void {
  if (!Number.isInteger(port) || port < least || port > 65_535) {
    throw invalidOption(path, `${shown(port)} is not a port: use ${least} to 65535`)
  }
}
