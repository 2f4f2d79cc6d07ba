import type { EventEmitter } from 'node:events'
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ProxyError } from './proxy-error.ts'
import type { ProxyTargetDetailed, ServerOptions } from './server-options.ts'

/** Told of a failure instead of the listeners of `error`; answering is up to it. For `ws()` the third is a socket. */
export type ErrorCallback = (
  error: ProxyError,
  req: IncomingMessage,
  res: ServerResponse | Duplex,
  target?: URL | ProxyTargetDetailed,
) => void

/** A step that {@link ProxyServer.before} or {@link ProxyServer.after} adds; a truthy result ends the call. */
export type ProxyPass = (
  req: IncomingMessage,
  res: ServerResponse | Duplex,
  options: ServerOptions,
  head: Buffer | undefined,
  server: ProxyServer,
  callback: ErrorCallback | undefined,
) => unknown

/**
 * The events of a {@link ProxyServer} and what listeners get. A listener that throws, or whose promise is rejected,
 * fails its exchange with `hook-failed` and nothing else. Those of `error` are not looked after that way.
 */
export interface ProxyEvents {
  /** A call has begun. */
  start: [req: IncomingMessage, res: ServerResponse, target: URL | ProxyTargetDetailed | undefined]
  /** A request is made and nothing of it sent: fields may be changed, a body written. Not for second attempts. */
  proxyReq: [
    proxyReq: ClientRequest,
    req: IncomingMessage,
    res: ServerResponse,
    options: ServerOptions,
  ]
  /** The same for a WebSocket handshake. */
  proxyReqWs: [
    proxyReq: ClientRequest,
    req: IncomingMessage,
    socket: Duplex,
    options: ServerOptions,
    head: Buffer | undefined,
  ]
  /** The target has answered; `proxyRes.headers` may be changed. */
  proxyRes: [proxyRes: IncomingMessage, req: IncomingMessage, res: ServerResponse]
  /** The target's answer has come to its end. */
  end: [req: IncomingMessage, res: ServerResponse, proxyRes: IncomingMessage]
  /** A tunnel has been opened. */
  open: [proxySocket: Duplex]
  /** The older name of `open`. */
  proxySocket: [proxySocket: Duplex]
  /** A tunnel is over. */
  close: [proxyRes: IncomingMessage, proxySocket: Duplex, proxyHead: Buffer]
  /** It failed before the client was told anything: a listener answers. Without one, we do. */
  error: [
    error: ProxyError,
    req: IncomingMessage,
    res: ServerResponse | Duplex,
    target: URL | ProxyTargetDetailed | undefined,
  ]
  /** The client has gone before the end. */
  econnreset: [
    error: ProxyError,
    req: IncomingMessage,
    res: ServerResponse,
    target: URL | ProxyTargetDetailed | undefined,
  ]
  /** The target broke off in the middle of its answer, and the client's connection was cut for that. Ours. */
  incomplete: [
    error: ProxyError,
    req: IncomingMessage,
    res: ServerResponse,
    target: URL | ProxyTargetDetailed | undefined,
  ]
  /** The copy for `forward` failed; the client does not notice. Ours. */
  forwardError: [error: ProxyError, req: IncomingMessage, target: URL | ProxyTargetDetailed]
  /** A request may not pass, and was answered by 400 or another status that says why. Ours. */
  refused: [error: ProxyError, req: IncomingMessage, res: ServerResponse | Duplex]
}

/** What {@link createProxyServer} makes: the methods and events of http-proxy's server. */
export interface ProxyServer extends EventEmitter<ProxyEvents> {
  /** As they were given, frozen. */
  readonly options: Readonly<ServerOptions>
  /**
   * Passes a request on. Bound to its server. What it returns may be awaited, as with httpxy: it is fulfilled when the
   * exchange is over, however it ended.
   *
   * @param options - go before the server's.
   */
  readonly web: {
    (req: IncomingMessage, res: ServerResponse, callback?: ErrorCallback): void
    (
      req: IncomingMessage,
      res: ServerResponse,
      options: ServerOptions | undefined,
      callback?: ErrorCallback,
    ): void
  }
  /**
   * Passes a WebSocket handshake on, and then what comes through the tunnel. Bound to its server, so that it can be a
   * listener of `upgrade` itself. `head` and `options` may also come in httpxy's order.
   */
  readonly ws: {
    (req: IncomingMessage, socket: Duplex, head: Buffer, callback?: ErrorCallback): void
    (
      req: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      options: ServerOptions | undefined,
      callback?: ErrorCallback,
    ): void
    (req: IncomingMessage, socket: Duplex, options: ServerOptions, head?: Buffer): void
  }
  /** The older name of `web`. */
  readonly proxyRequest: ProxyServer['web']
  /** The older name of `ws`. */
  readonly proxyWebsocketRequest: ProxyServer['ws']
  /** Listens, with `ssl` for https. That it cannot is an uncaught error, as with any server of Node that nobody watches. */
  listen(port: number, hostname?: string): this
  /** Where {@link ProxyServer.listen} listens. */
  address(): AddressInfo | string | null
  /** Takes no more connections, and calls back when the last has ended; tunnels and requests at work may. */
  close(callback?: (error?: Error) => void): void
  /** Closes, and ends everything that is at work. */
  destroy(): void
  /**
   * Puts a step before another. There are `deleteLength`, `timeout`, `XHeaders` and `stream` for `web`, and
   * `checkMethodAndHeader`, `XHeaders` and `stream` for `ws`, and those added, by the names of their functions.
   *
   * @throws `invalid-option` when there is no such step.
   */
  before(type: 'web' | 'ws', passName: string, pass: ProxyPass): void
  /** Puts a step behind another; there is nothing behind `stream`. */
  after(type: 'web' | 'ws', passName: string, pass: ProxyPass): void
}
