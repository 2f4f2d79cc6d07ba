import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { ExchangeErrorCode, ExchangePhase } from '../exchange/exchange-error.ts'
import { isIdempotent } from '../exchange/idempotent.ts'
import { replyForProblem } from '../gate/default-reply.ts'
import { RequestHead } from '../wire/request-head.ts'
import { ResponseHead } from '../wire/response-head.ts'
import { allowedTrailers, type BodyPump, pumpBody } from './body-pump.ts'
import { passEarlyHints } from './early-hints.ts'
import type { ExchangeHost } from './exchange-host.ts'
import { type ForwardCopy, forwardCopy } from './forward-copy.ts'
import { judgeAnswer, judgeIncoming, urlOf } from './judge-incoming.ts'
import {
  type Framing,
  framingOf,
  type OutgoingHeaders,
  outgoingHeaders,
} from './outgoing-headers.ts'
import { outgoingPath } from './outgoing-path.ts'
import {
  defaultReply,
  newProxyError,
  type ProxyError,
  proxyError,
  reasonOf,
  sendReply,
} from './proxy-error.ts'
import type { ErrorCallback, ProxyEvents } from './proxy-server.ts'
import { longestReplay, redirectOf } from './redirect.ts'
import { guardFraming, settleFraming } from './request-framing.ts'
import { copyHead } from './response-head.ts'
import type { ServerOptions } from './server-options.ts'
import type { ProxySettings } from './settings.ts'
import { type SilenceTimer, silenceTimer } from './silence-timer.ts'
import type { Target } from './target.ts'
import { hasNoBody, headersOf, upstreamRequest, whenConnected } from './upstream-request.ts'

/** What one call of `web()` is about. */
export interface WebCall {
  readonly host: ExchangeHost
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly settings: ProxySettings
  /** For listeners. */
  readonly options: ServerOptions
  readonly callback: ErrorCallback | undefined
  /** Once, when all is over. */
  readonly done: () => void
}

interface Attempt {
  readonly target: Target
  readonly method: string
  readonly path: string
  readonly headers: OutgoingHeaders
  readonly settings: ProxySettings
}

/** The silence that is waited for where nobody has said how long. */
const usualTimeout = 120_000

// Judging is done within one call: these serve all.
const requestHead = new RequestHead()
const responseHead = new ResponseHead()

/** One request through the proxy: it owns both legs, and ends both, whichever ends first. */
export class WebExchange {
  readonly #call: WebCall
  #phase: ExchangePhase = 'head'
  #over = false
  #request: ClientRequest | undefined
  #answer: IncomingMessage | undefined
  #attempt: Attempt | undefined
  #framing: Framing = { hasBody: false, contentLength: undefined, chunked: false }
  #acceptsTrailers = false
  #pump: BodyPump | undefined
  #bodyDone = false
  #copy: ForwardCopy | undefined
  /** The body as far as it went, for redirects; undefined when it is not, or no longer, kept. */
  #replay: Uint8Array[] | undefined
  #replayBytes = 0
  #redirects = 0
  /** A listener of `proxyReq` has written a body, which nobody keeps. */
  #hookWrote = false
  #retried = false
  #silence: SilenceTimer | undefined
  #clientBlocked = false
  /** Of the upstream socket, at the last look: listeners that read for themselves tell us nothing. */
  #bytesRead = 0

  constructor(call: WebCall) {
    this.#call = call
  }

  begin(): void {
    const { host, req, res, settings } = this.#call
    const { target, forward } = settings
    host.open.add(this)
    host.byRequest.set(req, this)
    res.on('close', this.#onClientClose)
    res.on('finish', this.#onFinish)
    res.on('error', this.#onClientError)
    // Listeners may change the request here, as middleware does.
    if (!this.#emit('start', req, res, this.#given)) return
    if (res.destroyed || req.socket.destroyed) {
      this.#clientGone()
      return
    }
    const problem = judgeIncoming(req, requestHead)
    if (problem !== undefined) {
      const error = newProxyError(problem.message, problem.code, problem.code, 'client', 'head')
      this.#close()
      sendReply(res, replyForProblem(problem), true)
      host.server.emit('refused', error, req, res)
      return
    }
    if (settings.timeout > 0) req.socket.setTimeout(settings.timeout)
    this.#acceptsTrailers = requestHead.acceptsTrailers
    const method = settings.method ?? requestHead.method
    this.#framing = framingOf(requestHead, method, settings.buffer !== undefined)
    this.#bodyDone = !this.#framing.hasBody
    const first: Attempt | undefined =
      target === undefined
        ? undefined
        : {
            target,
            method,
            path: outgoingPath(urlOf(req), target, settings),
            headers: outgoingHeaders(req, requestHead, target, settings, this.#framing),
            settings,
          }
    if (forward !== undefined) {
      this.#copy = forwardCopy(
        host,
        req,
        urlOf(req),
        requestHead,
        forward,
        settings,
        first === undefined,
      )
    }
    // What requestHead says is not asked for behind this line: listeners may begin another exchange.
    if (first === undefined) {
      this.#copy?.pump()
      res.end()
      return
    }
    if (settings.followRedirects !== undefined && this.#framing.hasBody) this.#replay = []
    this.#watch()
    this.#send(first, false)
  }

  /** Ends both legs at once. */
  destroy(): void {
    this.#close()
    this.#call.res.destroy()
  }

  /** A listener threw, or its promise was rejected. */
  hookFailed(error: unknown): void {
    this.#fail(proxyError(error, 'hook-failed', 'config', this.#phase))
  }

  #send(attempt: Attempt, fresh: boolean): void {
    const { host, req, res, options } = this.#call
    const { target } = attempt
    const isFirst = this.#attempt === undefined
    this.#attempt = attempt
    this.#phase = 'connect'
    let request: ClientRequest
    try {
      request = upstreamRequest({ ...attempt, agents: host.agents, fresh })
    } catch (error) {
      this.#fail(proxyError(error, 'hook-failed', 'config', 'request'))
      return
    }
    this.#request = request
    request.on('error', (error) => this.#onRequestError(request, error))
    request.on('response', (answer) => this.#onResponse(request, answer))
    request.on('upgrade', (_answer, socket) => {
      socket.on('error', () => undefined)
      socket.destroy()
      this.#refuseAnswer('the target switched protocols, which nobody asked for')
    })
    request.on('information', ({ statusCode, headers }) => {
      if (statusCode === 103) passEarlyHints(res, headers as { link?: string | string[] })
    })
    if (isFirst) {
      guardFraming(request)
      if (!this.#emit('proxyReq', request, req, res, options)) return
      if (res.writableEnded) {
        // The listener has answered.
        this.#close()
        return
      }
      const problem = settleFraming(request, this.#framing)
      if (problem !== undefined) {
        this.hookFailed(new Error(problem))
        return
      }
      this.#hookWrote = request.headersSent
    } else {
      guardFraming(request)
      settleFraming(request, this.#framing)
    }
    whenConnected(request, target.secure, () => {
      this.#silence?.moved()
      if (this.#request === request && this.#phase === 'connect') {
        this.#phase = this.#bodyDone ? 'response-head' : 'request-body'
      }
      if (!this.#over && this.#framing.hasBody && this.#pump === undefined) this.#startBody(request)
    })
    try {
      if (!this.#framing.hasBody) {
        if (!request.writableEnded) request.end()
      } else if (!isFirst && this.#replay !== undefined) {
        for (const piece of this.#replay) request.write(piece)
        request.end()
      }
    } catch (error) {
      this.hookFailed(error)
    }
  }

  #startBody(request: ClientRequest): void {
    const { req, res, settings } = this.#call
    const { expect } = req.headers
    // A listener of checkContinue has handed the request to us before it was answered.
    if (expect !== undefined && (res as { _sent100?: boolean })._sent100 === false)
      res.writeContinue()
    this.#copy?.pump()
    this.#pump = pumpBody(settings.buffer ?? req, request, {
      moved: (chunk) => {
        this.#silence?.moved()
        this.#keep(chunk)
      },
      done: () => {
        this.#bodyDone = true
        this.#silence?.moved()
        if (this.#phase === 'request-body') this.#phase = 'response-head'
      },
      failed: (error, bySource) => {
        if (!bySource) this.#fail(proxyError(error, 'hook-failed', 'config', 'request-body'))
        else if (settings.buffer === undefined) this.#clientGone(error)
        else this.#fail(proxyError(error, 'hook-failed', 'config', 'request-body'))
      },
    })
  }

  #keep(chunk: Uint8Array): void {
    if (this.#replay === undefined) return
    this.#replayBytes += chunk.length
    if (this.#replayBytes > longestReplay) this.#replay = undefined
    else this.#replay.push(chunk)
  }

  #onRequestError(request: ClientRequest, error: NodeJS.ErrnoException): void {
    if (this.#over || this.#request !== request) return
    const { res } = this.#call
    if (this.#answer !== undefined) {
      this.#breakOff(error)
      return
    }
    const attempt = this.#attempt!
    const stale = request.reusedSocket && !request.destroyed && !this.#retried
    const bodiless = !this.#framing.hasBody && !this.#hookWrote && hasNoBody(request)
    if (stale && bodiless && isIdempotent(request.method) && !res.headersSent) {
      // The target closed the connection while the request was on its way to it.
      this.#retried = true
      const headers = headersOf(request)
      request.destroy()
      this.#send({ ...attempt, method: request.method, path: request.path, headers }, true)
      return
    }
    this.#fail(proxyError(error, reasonOf(error, this.#phase), 'backend', this.#phase))
  }

  #onResponse(request: ClientRequest, answer: IncomingMessage): void {
    answer.on('error', (error) => {
      if (this.#answer === answer) this.#breakOff(error)
    })
    if (this.#over || this.#request !== request) {
      answer.resume()
      return
    }
    const { req, res, settings } = this.#call
    const problem = judgeAnswer(answer, responseHead, request.method, false)
    if (problem !== undefined) {
      this.#refuseAnswer(problem)
      return
    }
    const { followRedirects } = settings
    if (followRedirects !== undefined && this.#redirects < followRedirects.max) {
      const next = redirectOf(
        answer,
        request,
        this.#attempt!.target,
        this.#attempt!.settings,
        followRedirects,
      )
      const sendable = !this.#framing.hasBody || this.#replay !== undefined
      if (
        next !== undefined &&
        this.#bodyDone &&
        (!next.keepsBody || (sendable && !this.#hookWrote))
      ) {
        this.#redirects += 1
        if (!next.keepsBody) {
          this.#framing = { hasBody: false, contentLength: undefined, chunked: false }
        }
        // Nobody waits for it, and nobody would end it.
        if (Number(answer.headers['content-length'] ?? 65_537) <= 65_536) answer.resume()
        else request.destroy()
        this.#send(next, false)
        return
      }
    }
    this.#answer = answer
    this.#phase = 'response-body'
    this.#silence?.moved()
    if (settings.proxyTimeout === undefined) this.#silence?.stop()
    if (!this.#emit('proxyRes', answer, req, res)) return
    if (settings.selfHandleResponse) {
      answer.once('end', () => this.#emit('end', req, res, answer))
      return
    }
    if (!res.headersSent) {
      try {
        copyHead(req, res, answer, this.#attempt!.target, this.#call.settings)
      } catch (error) {
        this.#fail(proxyError(error, 'bad-response', 'backend', 'response-head'))
        return
      }
    }
    if (res.writableEnded) {
      this.#emit('end', req, res, answer)
      return
    }
    this.#relay(answer)
  }

  #relay(answer: IncomingMessage): void {
    const { req, res } = this.#call
    answer.on('data', (chunk: Uint8Array) => {
      this.#silence?.moved()
      if (this.#over || res.writableEnded || res.write(chunk)) return
      this.#clientBlocked = true
      answer.pause()
    })
    res.on('drain', this.#onDrain)
    answer.once('end', () => {
      if (!this.#emit('end', req, res, answer) || res.writableEnded) return
      const trailers = this.#acceptsTrailers ? allowedTrailers(answer.rawTrailers) : []
      if (trailers.length > 0 && !res.hasHeader('content-length')) {
        for (const [name, value] of trailers) res.addTrailers([[name, value]])
      }
      // An answer before the end of the request: what is left of the request goes nowhere.
      if (!this.#bodyDone) {
        this.#pump?.stop()
        this.#request?.destroy()
      }
      res.end()
    })
    answer.resume()
  }

  readonly #onDrain = (): void => {
    this.#clientBlocked = false
    this.#silence?.moved()
    this.#answer?.resume()
  }

  readonly #onFinish = (): void => {
    const answer = this.#answer
    const copying = this.#attempt === undefined
    this.#finish()
    if (copying) return
    // Listeners of proxyRes may go on reading when the client has its answer; nobody else is waited for.
    if (answer === undefined || !(answer.readableEnded || isRead(answer))) this.#request?.destroy()
    if (!this.#bodyDone) this.#copy?.stop()
  }

  readonly #onClientClose = (): void => {
    if (this.#call.res.writableFinished) this.#onFinish()
    else this.#clientGone()
  }

  readonly #onClientError = (error: Error): void => this.#clientGone(error)

  #clientGone(cause?: Error): void {
    if (this.#over) return
    const { host, req, res } = this.#call
    const message = 'the client has gone before the end'
    const error = newProxyError(message, 'ECONNRESET', 'client-aborted', 'client', this.#phase)
    if (cause !== undefined) error.cause = cause
    this.#close()
    this.#copy?.stop()
    res.destroy()
    host.server.emit('econnreset', error, req, res, this.#given)
  }

  /** The target's answer has come, and cannot be taken. */
  #refuseAnswer(problem: string): void {
    this.#fail(newProxyError(problem, 'bad-response', 'bad-response', 'backend', 'response-head'))
  }

  /** The target's answer broke off. Listeners that handle it themselves may have one for this, too. */
  #breakOff(thrown: Error): void {
    const answer = this.#answer!
    if (answer.complete || this.#over) return
    if (this.#call.settings.selfHandleResponse && answer.listenerCount('error') > 1) return
    this.#fail(proxyError(thrown, 'backend-reset', 'backend', 'response-body'))
  }

  /** Ends the exchange; the client gets an answer if it was told nothing yet. */
  #fail(error: ProxyError): void {
    if (this.#over) return
    const { host, req, res, callback } = this.#call
    this.#close()
    if (!this.#bodyDone) this.#copy?.stop()
    if (res.writableEnded) return
    if (res.headersSent) {
      res.destroy()
      host.server.emit('incomplete', error, req, res, this.#given)
    } else if (callback !== undefined) {
      callback(error, req, res, this.#given)
    } else if (host.server.listenerCount('error') > 0) {
      host.server.emit('error', error, req, res, this.#given)
    } else {
      sendReply(res, defaultReply(error), !this.#bodyDone)
    }
  }

  /** Lets go of the client, and ends the other leg. */
  #close(): void {
    this.#finish()
    this.#request?.destroy()
    this.#answer?.destroy()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#silence?.stop()
    this.#pump?.stop()
    const { host, req, res, done } = this.#call
    // What is left of a body must not hold up the client's connection.
    if (!this.#bodyDone && this.#pump !== undefined) req.resume()
    res.removeListener('close', this.#onClientClose)
    res.removeListener('finish', this.#onFinish)
    res.removeListener('drain', this.#onDrain)
    host.open.delete(this)
    host.byRequest.delete(req)
    done()
  }

  get #given(): Target['given'] | undefined {
    const { target, forward } = this.#call.settings
    return (target ?? forward)?.given
  }

  /** Tells listeners; false when the exchange is over by that. */
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
    this.#silence = silenceTimer(
      clock,
      proxyTimeout,
      () => this.#waitsForClient(),
      () => {
        const reason: ExchangeErrorCode =
          this.#phase === 'connect'
            ? 'connect-timeout'
            : this.#answer === undefined
              ? 'first-byte-timeout'
              : 'idle-timeout'
        const message = `the target was silent for ${proxyTimeout} ms`
        this.#fail(newProxyError(message, 'ECONNRESET', reason, 'backend', this.#phase))
      },
    )
  }

  /** What the client takes its time for is not the target's silence. */
  #waitsForClient(): boolean {
    if (this.#answer !== undefined) return this.#clientBlocked || this.#isReadElsewhere()
    return !this.#bodyDone && this.#pump?.waitsForSource === true
  }

  /** Answering is up to a listener, and it has read, or does not read at present. */
  #isReadElsewhere(): boolean {
    if (!this.#call.settings.selfHandleResponse) return false
    const { socket, readableFlowing } = this.#answer!
    const before = this.#bytesRead
    this.#bytesRead = socket.bytesRead
    return readableFlowing !== true || before !== this.#bytesRead
  }
}

function isRead(answer: IncomingMessage): boolean {
  return answer.readableFlowing === true || answer.listenerCount('readable') > 0
}
