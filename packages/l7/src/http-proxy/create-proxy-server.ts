import { EventEmitter } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { invalidOption, isSteelyardError, shown } from '@steelyard/core'
import type { ExchangeHost } from './exchange-host.ts'
import { type PassList, passList } from './passes.ts'
import { defaultReply, type ProxyError, proxyError, sendReply } from './proxy-error.ts'
import type { ErrorCallback, ProxyEvents, ProxyPass, ProxyServer } from './proxy-server.ts'
import type { ServerOptions } from './server-options.ts'
import { type ProxySettings, proxySettings } from './settings.ts'
import { ownAgents } from './upstream-request.ts'
import { WebExchange } from './web-exchange.ts'
import { WsExchange } from './ws-exchange.ts'

/**
 * Makes a proxy with the interface of http-proxy 1.18. It may be called with `new`, as that one's documentation does.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { createProxyServer } from '@steelyard/l7/http-proxy'
 *
 * const proxy = createProxyServer({ target: 'http://127.0.0.1:9000', changeOrigin: true })
 * const server = createServer((req, res) => proxy.web(req, res))
 * server.on('upgrade', (req, socket, head) => proxy.ws(req, socket, head))
 * server.listen(8000)
 * ```
 *
 * @throws `invalid-option` with the path of the field.
 */
export function createProxyServer(options: ServerOptions = {}): ProxyServer {
  return new HttpProxyServer(options ?? {})
}

/** {@link createProxyServer} by its shorter name. */
export function createServer(options: ServerOptions = {}): ProxyServer {
  return new HttpProxyServer(options ?? {})
}

/** {@link createProxyServer} by its shortest name. */
export function createProxy(options: ServerOptions = {}): ProxyServer {
  return new HttpProxyServer(options ?? {})
}

class HttpProxyServer extends EventEmitter<ProxyEvents> implements ProxyServer {
  readonly options: Readonly<ServerOptions>
  readonly web: ProxyServer['web'] = (...args: unknown[]) => this.#web(args)
  readonly ws: ProxyServer['ws'] = (...args: unknown[]) => this.#ws(args)
  readonly proxyRequest: ProxyServer['web'] = this.web
  readonly proxyWebsocketRequest: ProxyServer['ws'] = this.ws
  readonly #settings: ProxySettings
  readonly #host: ExchangeHost
  readonly #passes: { readonly web: PassList; readonly ws: PassList } = {
    web: passList('deleteLength', 'timeout', 'XHeaders', 'stream'),
    ws: passList('checkMethodAndHeader', 'XHeaders', 'stream'),
  }
  #server: Server | undefined

  constructor(options: ServerOptions) {
    super({ captureRejections: true })
    this.#settings = proxySettings(options)
    const { target, forward } = this.#settings
    this.options = Object.freeze({
      ...options,
      prependPath: this.#settings.prependPath,
      ...(target === undefined ? {} : { target: target.given }),
      ...(forward === undefined ? {} : { forward: forward.given }),
    })
    this.#host = { server: this, agents: ownAgents(), open: new Set(), byRequest: new WeakMap() }
  }

  listen(port: number, hostname?: string): this {
    if (this.#server !== undefined) throw invalidOption('listen', 'this proxy listens already')
    const { ssl, ws } = this.#settings
    const limits = {
      headersTimeout: 15_000,
      requestTimeout: 300_000,
      // Longer than balancers in front keep theirs: they should be the ones who close.
      keepAliveTimeout: 75_000,
      connectionsCheckingInterval: 5_000,
      // Other protocols are asked for in vain: h2c above all. Node before 22.21 does not know this.
      shouldUpgradeCallback: ({ headers }: IncomingMessage) =>
        ws && headers.upgrade?.toLowerCase() === 'websocket',
    }
    const listener = (req: IncomingMessage, res: ServerResponse) => this.web(req, res)
    const server =
      ssl === undefined
        ? createHttpServer(limits, listener)
        : createHttpsServer({ ...limits, ...ssl }, listener)
    if (ws) server.on('upgrade', (req, socket, head) => this.ws(req, socket, head))
    this.#server = server
    server.listen(port, hostname)
    return this
  }

  address(): AddressInfo | string | null {
    return this.#server?.address() ?? null
  }

  close(callback?: (error?: Error) => void): void {
    const server = this.#server
    this.#server = undefined
    this.#host.agents.http.destroy()
    this.#host.agents.https.destroy()
    if (server !== undefined) server.close(callback)
    else if (callback !== undefined) queueMicrotask(callback)
  }

  destroy(): void {
    const server = this.#server
    this.close()
    server?.closeAllConnections()
    for (const exchange of this.#host.open) exchange.destroy()
  }

  before(type: 'web' | 'ws', passName: string, pass: ProxyPass): void {
    this.#passList(type).insert(passName, pass, false)
  }

  after(type: 'web' | 'ws', passName: string, pass: ProxyPass): void {
    this.#passList(type).insert(passName, pass, true)
  }

  /** A listener's promise was rejected: an exchange's failure and not the process's. */
  override [EventEmitter.captureRejectionSymbol](
    error: Error,
    _event: keyof ProxyEvents,
    ...args: unknown[]
  ): void {
    for (const arg of args) {
      const exchange =
        typeof arg === 'object' && arg !== null ? this.#host.byRequest.get(arg) : undefined
      if (exchange !== undefined) {
        exchange.hookFailed(error)
        return
      }
    }
    // The exchange is over, or it is a listener of `error`: what Node does with rejections that nobody handles.
    void Promise.reject(error)
  }

  #passList(type: 'web' | 'ws'): PassList {
    if (type === 'web' || type === 'ws') return this.#passes[type]
    throw invalidOption('type', `${shown(type)} is neither web nor ws`)
  }

  #web(args: readonly unknown[]): Promise<void> {
    const [req, res] = args as [IncomingMessage, ServerResponse]
    const { given, callback } = callArguments(args)
    const call = this.#prepare(given)
    if ('isSteelyardError' in call) {
      return this.#misused(call, req, callback, res, () =>
        sendReply(res, defaultReply(call), false),
      )
    }
    const { settings, options } = call
    for (const pass of this.#passes.web.added) {
      if (pass(req, res, options, undefined, this, callback)) return Promise.resolve()
    }
    return new Promise((done) => {
      new WebExchange({ host: this.#host, req, res, settings, options, callback, done }).begin()
    })
  }

  #ws(args: readonly unknown[]): Promise<void> {
    const [req, socket] = args as [IncomingMessage, Duplex]
    const { given, callback, head } = callArguments(args)
    const call = this.#prepare(given)
    if (!('isSteelyardError' in call) && call.settings.target === undefined) {
      return this.#misused(noTarget('target'), req, callback, socket, () => socket.destroy())
    }
    if ('isSteelyardError' in call) {
      return this.#misused(call, req, callback, socket, () => socket.destroy())
    }
    const { settings, options } = call
    for (const pass of this.#passes.ws.added) {
      if (pass(req, socket, options, head, this, callback)) return Promise.resolve()
    }
    return new Promise((done) => {
      new WsExchange({
        host: this.#host,
        req,
        socket,
        head,
        settings,
        options,
        callback,
        done,
      }).begin()
    })
  }

  /** The options of one call; the error is an answer and no exception, since requests decide what is in them. */
  #prepare(
    given: ServerOptions | undefined,
  ):
    | { settings: ProxySettings; options: ServerOptions }
    | (ProxyError & { isSteelyardError: true }) {
    try {
      const settings = given === undefined ? this.#settings : proxySettings(given, this.#settings)
      const { target, forward } = settings
      if (target === undefined && forward === undefined) return noTarget('target')
      if (given === undefined) return { settings, options: this.options }
      const options = {
        ...this.options,
        ...given,
        ...(target === undefined ? {} : { target: target.given }),
        ...(forward === undefined ? {} : { forward: forward.given }),
      }
      return { settings, options }
    } catch (error) {
      if (!isSteelyardError(error, 'invalid-option')) throw error
      return proxyError(error, 'invalid-option', 'config', 'route') as ProxyError & {
        isSteelyardError: true
      }
    }
  }

  #misused(
    error: ProxyError,
    req: IncomingMessage,
    callback: ErrorCallback | undefined,
    res: ServerResponse | Duplex,
    answer: () => void,
  ): Promise<void> {
    // The client may go at any time, and nobody else listens.
    res.on('error', () => undefined)
    if (callback !== undefined) callback(error, req, res)
    else if (this.listenerCount('error') > 0) this.emit('error', error, req, res, undefined)
    else answer()
    return Promise.resolve()
  }
}

function noTarget(path: string): ProxyError & { isSteelyardError: true } {
  const problem =
    'there is neither target nor forward: give one of them to the proxy or to the call'
  return proxyError(
    invalidOption(path, problem),
    'invalid-option',
    'config',
    'route',
  ) as ProxyError & {
    isSteelyardError: true
  }
}

/** Options, callback and head, which follow in any order: those of http-proxy and httpxy differ. */
function callArguments(args: readonly unknown[]): {
  given: ServerOptions | undefined
  callback: ErrorCallback | undefined
  head: Buffer | undefined
} {
  let given: ServerOptions | undefined
  let callback: ErrorCallback | undefined
  let head: Buffer | undefined
  for (const arg of args.slice(2)) {
    if (typeof arg === 'function') callback = arg as ErrorCallback
    else if (Buffer.isBuffer(arg)) head = arg
    else if (typeof arg === 'object' && arg !== null) given = arg
  }
  return { given, callback, head }
}
