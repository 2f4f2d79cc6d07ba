/**
 * The interface of http-proxy 1.18, which http-proxy-3 and httpxy share, over Steelyard's rules: programs switch by
 * changing the import. Framing is explicit, hop-by-hop fields end here, both legs end together, and an error without a
 * listener is an answer and no crash.
 *
 * @packageDocumentation
 */

export { createProxy, createProxyServer, createServer } from './create-proxy-server.ts'
export type { ProxyError } from './proxy-error.ts'
export type { ErrorCallback, ProxyEvents, ProxyPass, ProxyServer } from './proxy-server.ts'
export type {
  FollowRedirects,
  ProxyTarget,
  ProxyTargetDetailed,
  ProxyTargetUrl,
  RewriteMap,
  ServerOptions,
  TlsMaterial,
} from './server-options.ts'
