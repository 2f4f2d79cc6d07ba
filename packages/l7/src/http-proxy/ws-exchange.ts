import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ExchangePhase } from '../exchange/exchange-error.ts'
import type { Reply } from '../exchange/reply.ts'
import { upgradeProblem } from '../exchange/tunnel.ts'
import { replyForProblem } from '../gate/default-reply.ts'
import { badRequest } from '../gate/problem.ts'
import { isToken } from '../wire/checked-field.ts'
import type { HeadProblem } from '../wire/head-problem.ts'
import { reasonOf as phraseOf } from '../wire/reason.ts'
import { RequestHead } from '../wire/request-head.ts'
import { ResponseHead } from '../wire/response-head.ts'
import type { ExchangeHost } from './exchange-host.ts'
import { judgeAnswer, judgeIncoming, urlOf } from './judge-incoming.ts'
import { endsHere, framingOf, listedAway, outgoingHeaders } from './outgoing-headers.ts'
import { outgoingPath } from './outgoing-path.ts'
import {
  defaultReply,
  newProxyError,
  type ProxyError,
  proxyError,
  reasonOf,
} from './proxy-error.ts'
import type { ErrorCallback, ProxyEvents } from './proxy-server.ts'
import type { ServerOptions } from './server-options.ts'
import type { ProxySettings } from './settings.ts'
import { joinSockets } from './socket-tunnel.ts'
import { upstreamRequest, whenConnected } from './upstream-request.ts'

/** What one call of `ws()` is about. */
export interface WsCall {
  readonly host: ExchangeHost
  readonly req: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer | undefined
  readonly settings: ProxySettings
  readonly options: ServerOptions
  readonly callback: ErrorCallback | undefined
  readonly done: () => void
}

/** What a client may send before the target has agreed. */
const mostEarly = 65_536
const usualTimeout = 120_000

/** One WebSocket handshake through the proxy, and the tunnel that comes of it. */
export class WsExchange {
  readonly #call: WsCall
  readonly #head: RequestHead = new RequestHead(512, 16)
  readonly #early: Buffer[] = []
  #earlyBytes = 0
  #phase: ExchangePhase = 'head'
  #over = false
  #request: ClientRequest | undefined
  #timer: Disposable | undefined
  #endTunnel: (() => void) | undefined

  constructor(call: WsCall) {
    this.#call = call
  }

  begin(): void {
    const { host, req, socket, head, settings, options } = this.#call
    host.open.add(this)
    host.byRequest.set(req, this)
    socket.on('error', this.#onClientError)
    socket.on('close', this.#onClientClose)
    socket.on('end', this.#onClientClose)
    if (socket.destroyed) {
      this.#onClientClose()
      return
    }
    const { target } = settings
    const problem = judgeIncoming(req, this.#head) ?? this.#notWebSocket()
    if (problem !== undefined) {
      this.#refuse(problem)
      return
    }
    if (head !== undefined) this.#onEarly(head)
    // A socket that nobody reads does not say that its client has gone.
    socket.on('data', this.#onEarly)
    quicken(socket)
    this.#watch()
    this.#phase = 'connect'
    let request: ClientRequest
    try {
      request = upstreamRequest({
        target: target!,
        method: 'GET',
        path: outgoingPath(urlOf(req), target!, settings),
        headers: outgoingHeaders(
          req,
          this.#head,
          target!,
          settings,
          framingOf(this.#head, 'GET', false),
        ),
        settings,
        agents: host.agents,
        fresh: true,
      })
    } catch (error) {
      this.#fail(proxyError(error, 'hook-failed', 'config', 'request'))
      return
    }
    this.#request = request
    request.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(proxyError(error, reasonOf(error, this.#phase), 'backend', this.#phase)),
    )
    request.on('response', (answer) => this.#onRefusal(request, answer))
    request.on('upgrade', (answer, upstream, first) =>
      this.#onUpgrade(request, answer, upstream, first),
    )
    if (!this.#emit('proxyReqWs', request, req, socket, options, head)) return
    whenConnected(request, target!.secure, () => {
      if (this.#phase === 'connect') this.#phase = 'response-head'
    })
    request.end()
  }

  destroy(): void {
    this.#close()
    this.#call.socket.destroy()
  }

  hookFailed(error: unknown): void {
    this.#fail(proxyError(error, 'hook-failed', 'config', this.#phase))
  }

  #notWebSocket(): HeadProblem | undefined {
    return this.#head.upgrade === 'websocket' ? undefined : noWebSocket
  }

  #refuse(problem: HeadProblem): void {
    const { host, req, socket } = this.#call
    const error = newProxyError(problem.message, problem.code, problem.code, 'client', 'head')
    this.#close()
    writeReply(socket, replyForProblem(problem))
    host.server.emit('refused', error, req, socket)
  }

  /** The target answers something else than 101: the client gets it, and its connection ends. */
  #onRefusal(request: ClientRequest, answer: IncomingMessage): void {
    answer.on('error', () => {
      request.destroy()
      socket.destroy()
    })
    const { socket } = this.#call
    if (this.#over) {
      answer.resume()
      return
    }
    const head = new ResponseHead()
    const problem = judgeAnswer(answer, head, 'GET', true)
    if (problem !== undefined) {
      this.#fail(newProxyError(problem, 'bad-response', 'bad-response', 'backend', 'response-head'))
      return
    }
    this.#finish()
    socket.on('close', () => request.destroy())
    answer.setTimeout(this.#call.settings.proxyTimeout ?? usualTimeout, () => request.destroy())
    // Read on, so that the client's going is seen; what it sends is for nobody.
    socket.resume()
    socket.write(headText(answer, this.#call.settings.toProxy, false), 'latin1')
    answer.pipe(socket)
  }

  #onUpgrade(
    request: ClientRequest,
    answer: IncomingMessage,
    upstream: Socket,
    first: Buffer,
  ): void {
    upstream.on('error', (error) => this.#tunnelFailed(error))
    if (this.#over) {
      upstream.destroy()
      return
    }
    const head = new ResponseHead()
    const problem = judgeAnswer(answer, head, 'GET', true) ?? upgradeProblem(this.#head, head)
    if (problem !== undefined) {
      upstream.destroy()
      this.#fail(
        newProxyError(problem, 'bad-response', 'upgrade-refused', 'backend', 'response-head'),
      )
      return
    }
    const { host, socket, settings } = this.#call
    this.#phase = 'tunnel'
    this.#unwatch()
    socket.removeListener('data', this.#onEarly)
    socket.removeListener('end', this.#onClientClose)
    socket.removeListener('close', this.#onClientClose)
    quicken(upstream)
    socket.write(headText(answer, settings.toProxy, true), 'latin1')
    if (first.length > 0) upstream.unshift(first)
    for (const piece of this.#early) upstream.write(piece)
    this.#endTunnel = joinSockets(socket, upstream, settings.clock, settings.tunnelTimeout, () => {
      this.#finish()
      request.destroy()
      host.server.emit('close', answer, upstream, first)
    })
    if (this.#emit('open', upstream)) this.#emit('proxySocket', upstream)
  }

  readonly #onEarly = (chunk: Buffer): void => {
    if (chunk.length === 0) return
    this.#early.push(chunk)
    this.#earlyBytes += chunk.length
    if (this.#earlyBytes > mostEarly) this.#call.socket.pause()
  }

  readonly #onClientError = (): void => this.#clientGone()
  readonly #onClientClose = (): void => this.#clientGone()

  #clientGone(): void {
    if (this.#over || this.#phase === 'tunnel') return
    this.#close()
    this.#call.socket.destroy()
  }

  #tunnelFailed(error: Error): void {
    if (this.#phase === 'tunnel') {
      this.#fail(proxyError(error, 'backend-reset', 'backend', 'tunnel'))
    }
  }

  #fail(error: ProxyError): void {
    if (this.#over) return
    const { host, req, socket, callback, settings } = this.#call
    const inTunnel = this.#phase === 'tunnel'
    this.#close()
    if (inTunnel) socket.destroy()
    const given = settings.target?.given
    if (callback === undefined && host.server.listenerCount('error') === 0) {
      if (!inTunnel) writeReply(socket, defaultReply(error))
      return
    }
    try {
      if (callback !== undefined) callback(error, req, socket, given)
      else host.server.emit('error', error, req, socket, given)
    } finally {
      // As with http-proxy the socket ends whatever the listener does; what it has written goes out first.
      endSoon(socket)
    }
  }

  #close(): void {
    this.#finish()
    this.#endTunnel?.()
    this.#request?.destroy()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#unwatch()
    const { host, req, socket, done } = this.#call
    socket.removeListener('data', this.#onEarly)
    host.open.delete(this)
    host.byRequest.delete(req)
    done()
  }

  #emit<K extends keyof ProxyEvents>(name: K, ...args: ProxyEvents[K]): boolean {
    try {
      this.#call.host.server.emit(name, ...(args as never))
    } catch (error) {
      this.hookFailed(error)
    }
    return !this.#over
  }

  #watch(): void {
    const { clock, proxyTimeout = usualTimeout } = this.#call.settings
    if (proxyTimeout === 0) return
    this.#timer = clock.after(proxyTimeout, () => {
      const message = `the target did not answer the handshake in ${proxyTimeout} ms`
      const reason = this.#phase === 'connect' ? 'connect-timeout' : 'first-byte-timeout'
      this.#fail(newProxyError(message, 'ECONNRESET', reason, 'backend', this.#phase))
    })
  }

  #unwatch(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }
}

const noWebSocket = badRequest('this is no WebSocket handshake')

function quicken(socket: Duplex): void {
  const { setNoDelay, setKeepAlive, setTimeout: setIdle } = socket as Partial<Socket>
  setIdle?.call(socket as Socket, 0)
  setNoDelay?.call(socket as Socket, true)
  setKeepAlive?.call(socket as Socket, true, 30_000)
}

/** A head for a client whose connection is not used again, except as a tunnel. */
function headText(answer: IncomingMessage, toProxy: boolean, upgraded: boolean): string {
  const { headers, statusCode = 502, statusMessage = '' } = answer
  const listed = listedAway(headers)
  let text = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase()
    const isLength = lower === 'content-length' && !upgraded
    if (!isToken(name) || listed?.has(lower) === true) continue
    if (!isLength && endsHere(lower, toProxy)) continue
    const value = headers[name]
    if (value === undefined) continue
    for (const one of typeof value === 'string' ? [value] : value) {
      // Listeners may have written there.
      text += `${name}: ${one.replace(/[\r\n\0]+/g, ' ')}\r\n`
    }
  }
  return `${text}${upgraded ? 'connection: Upgrade\r\nupgrade: websocket\r\n' : 'connection: close\r\n'}\r\n`
}

function writeReply(socket: Duplex, { status, headers = {}, body = '' }: Reply): void {
  const bytes = Buffer.from(body)
  let text = `HTTP/1.1 ${status} ${phraseOf(status)}\r\n`
  for (const [name, value] of Object.entries(headers)) text += `${name}: ${String(value)}\r\n`
  socket.write(`${text}content-length: ${bytes.length}\r\nconnection: close\r\n\r\n`)
  socket.write(bytes)
  endSoon(socket)
}

/** Ends a client's socket, reading on so that its own end is seen; not for ever. */
function endSoon(socket: Duplex): void {
  if (socket.destroyed) return
  socket.resume()
  if (!socket.writableEnded) socket.end()
  ;(socket as Partial<Socket>).setTimeout?.(5_000, () => socket.destroy())
}
