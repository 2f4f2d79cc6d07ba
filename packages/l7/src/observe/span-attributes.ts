import type { Backend } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import type { SpanAttribute } from './tracer.ts'

type Attributes = Record<string, SpanAttribute>

/** Of a server's span, when it starts (OpenTelemetry semantic conventions for HTTP spans, stable since 1.23). */
export function serverAttributes(x: Exchange, withQuery: boolean): Attributes {
  const { request, connection } = x
  const { query } = request
  const agent = request.header('user-agent')
  const attributes: Attributes = {
    'http.request.method': request.method,
    'url.scheme': request.scheme,
    'url.path': request.path,
    'client.address': request.client,
    'network.protocol.name': 'http',
    'network.protocol.version': protocolVersion(request.version),
    'steelyard.listener': x.listener,
    'steelyard.exchange.id': x.id,
  }
  if (withQuery && query !== undefined) attributes['url.query'] = query
  if (request.host !== '') attributes['server.address'] = request.host
  if (request.port > 0) attributes['server.port'] = request.port
  if (agent !== undefined) attributes['user_agent.original'] = agent
  peer(attributes, connection.peer.path ?? connection.peer.address, connection.peer.port)
  if (connection.tls !== undefined) attributes['tls.protocol.version'] = connection.tls.version
  return attributes
}

/** Of a client's span, when it starts. */
export function attemptAttributes(x: Exchange, backend: Backend): Attributes {
  const attributes: Attributes = {
    'http.request.method': x.request.method,
    'server.address': backend.host,
    'steelyard.backend': backend.id,
  }
  if (backend.port > 0) attributes['server.port'] = backend.port
  if (x.pool !== undefined) attributes['steelyard.pool'] = x.pool.name
  if (x.attempts > 1) attributes['http.request.resend_count'] = x.attempts - 1
  return attributes
}

/** What a finished exchange adds to its server's span. */
export function outcomeAttributes(record: ExchangeRecord): Attributes {
  const { status, error, bytesIn, bytesOut, route, pool, reason } = record
  const attributes: Attributes = {
    'http.request.body.size': bytesIn,
    'http.response.body.size': bytesOut,
    'steelyard.reason': reason,
  }
  if (status > 0) attributes['http.response.status_code'] = status
  if (route !== undefined) attributes['steelyard.route'] = route
  if (pool !== undefined) attributes['steelyard.pool'] = pool
  if (error !== undefined) attributes['error.type'] = error.code
  else if (status >= 500) attributes['error.type'] = String(status)
  return attributes
}

function peer(attributes: Attributes, address: string, port: number): void {
  attributes['network.peer.address'] = address
  if (port > 0) attributes['network.peer.port'] = port
}

function protocolVersion(version: string): string {
  return version === 'HTTP/2' ? '2' : version.slice('HTTP/'.length)
}
