/**
 * TCP, UDP and TLS load balancing: listeners, sessions, PROXY protocol, SNI routing.
 *
 * @packageDocumentation
 */
export { type Acl, type AclOptions, acl, allOf, anyOf, type ClientInfo, noneOf } from './acl.ts'
export { tcpSessionChannel } from './channels.ts'
export { FrontDoor, type FrontDoorOptions, type HouseBehind } from './front-door.ts'
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
export { type Listen, listenTarget, listenText } from './listen.ts'
export {
  decodeProxyHeader,
  type ProxyFrame,
  type ProxyFramer,
  type ProxyFramerOptions,
  proxyFramer,
} from './proxy-protocol/framer.ts'
export {
  localProxyHeader,
  type ProxyHeader,
  type ProxyHeaderInit,
  proxyHeader,
} from './proxy-protocol/header.ts'
export { readSsl, type SslInfo, sslTlv } from './proxy-protocol/ssl-tlv.ts'
export {
  alpnTlv,
  authorityTlv,
  findTlv,
  readAlpn,
  readAuthority,
  readUniqueId,
  type Tlv,
  TlvType,
  uniqueIdTlv,
} from './proxy-protocol/tlv.ts'
export { encodeV1 as encodeProxyV1 } from './proxy-protocol/v1.ts'
export { type EncodeV2Options, encodeV2 as encodeProxyV2 } from './proxy-protocol/v2.ts'
export {
  type NamedHello,
  type NameRoute,
  type NameRouter,
  type NameRoutes,
  type NameRule,
  nameRouter,
} from './route-by-name.ts'
export type { TcpStats } from './tcp/counters.ts'
export {
  type AcceptProxy,
  type AcceptProxyOptions,
  acceptProxy,
  type SendProxyOptions,
} from './tcp/proxy-options.ts'
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
export type { CertificateFacts, CertificateInit } from './tls/certificate.ts'
export { certificateSeries, reportCertificates } from './tls/certificate-metrics.ts'
export type { ClientHello } from './tls/client-hello.ts'
export {
  type ClientHelloReader,
  type ClientHelloReaderOptions,
  type ClientHelloResult,
  clientHelloReader,
} from './tls/client-hello-reader.ts'
export {
  type ServerContext,
  type TlsContexts,
  type TlsContextsOptions,
  type TlsVersion,
  tlsContexts,
} from './tls/contexts.ts'
export { type PeerCertificate, sslInfoOf, type TlsFacts } from './tls/facts.ts'
export type { TlsError, TlsErrorCode } from './tls/handshake-error.ts'
export {
  type OriginatedTls,
  type OriginateOptions,
  type OriginateTarget,
  type Originator,
  originator,
} from './tls/originate.ts'
export type { ServerNameProblem } from './tls/server-name.ts'
export {
  type Preread,
  type TerminatedTls,
  type TerminateOptions,
  terminate,
} from './tls/terminate.ts'
export { type AdoptOptions, adoptSocket } from './transport/adopt-socket.ts'
export {
  type NodeTransport,
  type NodeTransportOptions,
  nodeTransport,
} from './transport/node-transport.ts'
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
