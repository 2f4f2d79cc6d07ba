import type { HttpReconfiguration, Route } from '@steelyard/l7'
import type { DesiredHttpListener } from '../desired/desired.ts'
import { routingOptions } from '../http/listener.ts'
import type { RouteSurroundings } from '../http/surroundings.ts'
import { acceptProxyOf, aclOf, contextsOf, type ListenerSurroundings } from './build-listener.ts'

/** The options of an HTTP listener, but for its place. */
export function httpOptions(
  listener: DesiredHttpListener,
  routes: RouteSurroundings,
  surroundings: ListenerSurroundings,
): HttpReconfiguration & { readonly routes: readonly Route[] } {
  const { id, acl, proxyProtocol } = listener
  return {
    ...routingOptions(listener, routes),
    acl: aclOf(acl),
    acceptProxy: acceptProxyOf(proxyProtocol),
    tls: listener.protocol === 'https' ? contextsOf(id, listener.tls, surroundings) : undefined,
    http2: http2Of(listener),
    // What is not there any more has to be said: a reconfiguration keeps what is not named.
  } as HttpReconfiguration & { readonly routes: readonly Route[] }
}

function http2Of(listener: DesiredHttpListener): HttpReconfiguration['http2'] {
  switch (listener.protocol) {
    case 'http':
      return 'off'
    case 'h2c':
      return { ...listener.http2, priorKnowledge: true }
    case 'https':
      return listener.tls.alpn.includes('h2') ? (listener.http2 ?? 'auto') : 'off'
    default:
      return listener satisfies never
  }
}
