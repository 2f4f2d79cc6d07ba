/**
 * TCP, UDP and TLS load balancing: listeners, sessions, PROXY protocol, SNI routing.
 *
 * @packageDocumentation
 */
export { type Acl, type AclOptions, acl, allOf, anyOf, type ClientInfo, noneOf } from './acl.ts'
export { tcpSessionChannel } from './channels.ts'
export {
  type AdjustableByteBudget,
  type ByteBudgetOptions,
  byteBudget,
} from './limits/byte-budget.ts'
export { type ConnectionLimit, connectionLimit } from './limits/connection-limit.ts'
export {
  type ConnectionRate,
  type ConnectionRateOptions,
  connectionRate,
} from './limits/connection-rate.ts'
export { type RetryBudget, type RetryBudgetOptions, retryBudget } from './limits/retry-budget.ts'
export type { Listen } from './listen.ts'
export type { NameRoute, NameRoutes, NameRule } from './route-by-name.ts'
export type { TcpStats } from './tcp/counters.ts'
export type { AcceptProxyOptions, SendProxyOptions } from './tcp/proxy-options.ts'
export type { EndedBy, EndReason, SessionRecord } from './tcp/session-record.ts'
export type { TcpBalancerOptions, TcpReconfiguration } from './tcp/settings.ts'
export type { TcpTarget } from './tcp/target.ts'
export {
  type CutFilter,
  type TcpBalancer,
  type TcpBalancerEvents,
  tcpBalancer,
} from './tcp/tcp-balancer.ts'
export type { TcpTimeouts } from './tcp/timeouts.ts'
export { type TlsContexts, type TlsContextsOptions, tlsContexts } from './tls/contexts.ts'
export type { OriginateOptions } from './tls/originate.ts'
export { nodeTransport } from './transport/node-transport.ts'
export type {
  UdpBalancerOptions,
  UdpBuffers,
  UdpListen,
  UdpListenTarget,
  UdpReconfiguration,
} from './udp/settings.ts'
export {
  type UdpBalancer,
  type UdpBalancerEvents,
  type UdpSessionFilter,
  udpBalancer,
} from './udp/udp-balancer.ts'
export type { UdpDropReason, UdpStats } from './udp/udp-counters.ts'
export { udpSessionChannel } from './udp/udp-session-channel.ts'
export type { UdpEndReason, UdpSessionRecord } from './udp/udp-session-record.ts'
