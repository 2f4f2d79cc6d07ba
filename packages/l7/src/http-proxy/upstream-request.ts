import { Agent, type ClientRequest, request as httpRequest, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { OutgoingHeaders } from './outgoing-headers.ts'
import type { ProxySettings } from './settings.ts'
import type { Target } from './target.ts'

/** A proxy server's own agents: connections are kept, and closed by us before most servers would. */
export interface OwnAgents {
  readonly http: Agent
  readonly https: HttpsAgent
}

/** Makes {@link OwnAgents}. */
export function ownAgents(): OwnAgents {
  const options = {
    keepAlive: true,
    timeout: 4_000,
    maxFreeSockets: 256,
    scheduling: 'lifo',
  } as const
  return { http: new Agent(options), https: new HttpsAgent(options) }
}

/** What {@link upstreamRequest} sends. */
export interface UpstreamInit {
  readonly target: Target
  readonly method: string
  readonly path: string
  readonly headers: OutgoingHeaders
  readonly settings: ProxySettings
  readonly agents: OwnAgents
  /** Upgrades and second attempts. */
  readonly fresh: boolean
}

/** Begins a request; nothing is sent before its first write or its end. Node throws for what it cannot send. */
export function upstreamRequest(init: UpstreamInit): ClientRequest {
  const { target, method, path, headers, settings, agents, fresh } = init
  const { secure, socketPath, hostname, port, tls } = target
  const auth = settings.auth ?? target.auth
  const agent = settings.agent ?? (fresh ? false : secure ? agents.https : agents.http)
  const options: RequestOptions = {
    method,
    path,
    headers,
    agent,
    ...(socketPath === undefined ? { host: hostname, port } : { socketPath }),
    ...(settings.localAddress === undefined ? {} : { localAddress: settings.localAddress }),
    ...(auth === undefined ? {} : { auth }),
  }
  const request = secure
    ? httpsRequest({
        ...options,
        ...(settings.ca === undefined || settings.ca === null
          ? {}
          : { ca: settings.ca as string[] }),
        ...tls,
        rejectUnauthorized: settings.secure,
      })
    : httpRequest(options)
  // More or less body than was announced would be read as the next request, or waited for.
  ;(request as { strictContentLength?: boolean }).strictContentLength = true
  return request
}

/** Calls back when the connection stands, at once where it does already; a body is not touched before. */
export function whenConnected(request: ClientRequest, secure: boolean, then: () => void): void {
  request.once('socket', (socket) => {
    const { connecting, secureConnecting } = socket as {
      connecting?: boolean
      secureConnecting?: boolean
    }
    if (connecting === true || secureConnecting === true) {
      socket.once(secure ? 'secureConnect' : 'connect', then)
    } else {
      then()
    }
  })
}

/** Nobody has written a body, a listener of `proxyReq` neither. */
export function hasNoBody(request: ClientRequest): boolean {
  return (
    !request.hasHeader('transfer-encoding') &&
    Number(request.getHeader('content-length') ?? 0) === 0
  )
}

/** The fields as listeners have left them. */
export function headersOf(request: ClientRequest): OutgoingHeaders {
  const headers = Object.create(null) as OutgoingHeaders
  for (const [name, value] of Object.entries(request.getHeaders())) {
    if (value !== undefined) {
      headers[name] = typeof value === 'number' ? String(value) : value
    }
  }
  return headers
}
