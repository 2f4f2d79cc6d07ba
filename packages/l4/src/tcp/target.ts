import { objectOption, type Pool } from '@steelyard/core'
import { poolOption } from '../pool-option.ts'
import { type OriginateOptions, type Originator, originator } from '../tls/originate.ts'
import { type SendProxy, type SendProxyOptions, sendProxy } from './proxy-options.ts'
import { type SourceAddresses, sourceAddresses } from './source-addresses.ts'

/** Who gets connections, and how its members are spoken to. */
export interface TcpTarget {
  readonly pool: Pool
  /** Tells members the client's address by a PROXY header. Default: none is sent. */
  readonly sendProxy?: 'v1' | 'v2' | SendProxyOptions | undefined
  /** TLS to the members. Default: none. */
  readonly originate?: OriginateOptions | undefined
  /**
   * Source addresses for connections to members, used in turn: a pool of them widens the range of source
   * ports. Default: the system chooses.
   */
  readonly sourceAddresses?: readonly string[] | undefined
}

/** A {@link TcpTarget}, checked and ready. */
export interface Target {
  readonly pool: Pool
  readonly sendProxy: SendProxy | undefined
  readonly originator: Originator | undefined
  readonly sourceAddresses: SourceAddresses | undefined
}

/**
 * Checks a {@link TcpTarget}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function readyTarget(options: TcpTarget, path = ''): Target {
  const at = (field: string): string => (path === '' ? field : `${path}.${field}`)
  return Object.freeze({
    pool: poolOption(objectOption(options, path === '' ? 'target' : path).pool, at('pool')),
    sendProxy:
      options.sendProxy === undefined ? undefined : sendProxy(options.sendProxy, at('sendProxy')),
    originator:
      options.originate === undefined ? undefined : originator(options.originate, at('originate')),
    sourceAddresses:
      options.sourceAddresses === undefined
        ? undefined
        : sourceAddresses(options.sourceAddresses, at('sourceAddresses')),
  })
}
