import type { PoolOptions } from '@steelyard/core'
import type { HttpCheckOptions, TcpCheckOptions, UdpCheckOptions } from '@steelyard/health'
import type {
  SessionRecord,
  TcpBalancerOptions,
  TcpStats,
  UdpBalancerOptions,
  UdpSessionRecord,
  UdpStats,
} from '@steelyard/l4'

/** What a balancer in a process of its own is to do: options that can be written as JSON. */
export interface Plan {
  readonly pool: Pick<PoolOptions, 'backends' | 'whenEmpty' | 'queueLimit'>
  readonly check?:
    | ({ readonly type: 'tcp' } & TcpCheckOptions)
    | ({ readonly type: 'http' } & HttpCheckOptions)
    | ({ readonly type: 'udp' } & UdpCheckOptions)
  readonly tcp?: Omit<TcpBalancerOptions, 'pool' | 'acl' | 'terminate' | 'routes'>
  readonly udp?: Omit<UdpBalancerOptions, 'pool' | 'acl'>
}

/** An error as it travels between processes. */
export interface ToldError {
  readonly code: string
  readonly source: string
  readonly message: string
  readonly cause?: ToldError
}

/** What that process tells, one JSON a line; `at` is the wall clock in milliseconds. */
export type Told =
  | {
      readonly tell: 'listening'
      readonly at: number
      readonly address: string
      readonly port: number
    }
  | { readonly tell: 'session'; readonly at: number; readonly record: ToldRecord }
  | {
      readonly tell: 'health'
      readonly at: number
      readonly id: string
      readonly health: string
      readonly reason: string
    }
  | { readonly tell: 'stats'; readonly at: number; readonly stats: TcpStats | UdpStats }

/** A summary record of either balancer, with its error as {@link ToldError}. */
export type ToldRecord = Omit<
  Partial<SessionRecord> & Partial<UdpSessionRecord>,
  'error' | 'reason'
> & {
  readonly reason: string
  readonly error?: ToldError
}
