import { connect as connectTcp, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '@steelyard/core'
import { Client, type Dispatcher } from 'undici'
import { attempt } from '../attempt.ts'
import {
  type Evidence,
  failed,
  type ProbeContext,
  type ProbeResult,
  type ProbeTarget,
  passed,
  refused,
} from '../probe.ts'
import { socketFailure } from '../socket-failure.ts'
import { Answer, type Expectation } from './http-answer.ts'
import { connectOptions, isUnix } from './socket-target.ts'
import { judgeTls, openTls, type TlsJudgement, type TlsPlan, tlsFailure } from './tls-session.ts'

/** An HTTP check's options, checked and complete. */
export interface HttpPlan {
  readonly method: string
  readonly path: string
  readonly host: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly expect: Expectation
  readonly keepAlive: boolean
  readonly tls: TlsPlan | undefined
  readonly version: '1.1' | '2'
  readonly source: string | undefined
}

/** A connection is used no longer than this: what it shows of the certificate, and of being reachable at all, grows old. */
const maxAgeMs = 600_000
/** Bound of an answer's head. */
const maxHeaderBytes = 16_384

/** The requests of one check to one target, over one connection if it lasts. */
export class HttpSession {
  readonly #target: ProbeTarget
  readonly #plan: HttpPlan
  readonly #request: string
  readonly #headers: Record<string, string>
  #client: Client | undefined
  #socket: Socket | undefined
  #openedAt = 0
  /** How far the connection in use has come; for messages. */
  #stage: 'idle' | 'connect' | 'handshake' | 'open' = 'idle'
  #connectFailure: ProbeResult | undefined
  #tls: TlsJudgement | undefined

  constructor(target: ProbeTarget, plan: HttpPlan) {
    this.#target = target
    this.#plan = plan
    const scheme = plan.tls === undefined ? 'http' : 'https'
    this.#request = `${plan.method} ${scheme}://${isUnix(target) ? `(${target.address})` : target.address}${plan.path}`
    this.#headers = { ...plan.headers, host: plan.host ?? hostHeader(target, plan) }
  }

  /** One check. */
  async exchange(context: ProbeContext): Promise<ProbeResult> {
    const aged = context.clock.now() - this.#openedAt > maxAgeMs
    if (this.#stage === 'open' && aged) this.close()
    const reused = this.#stage === 'open'
    const first = await this.#attempt(context)
    // A server may close an idle connection in the very moment of its use: that says nothing of the server.
    if (!reused || first !== stale || context.signal.aborted) return unstaled(first, this.#request)
    return unstaled(await this.#attempt(context), this.#request)
  }

  /** Closes the connection, whatever it is doing. */
  close(): void {
    const client = this.#client
    this.#client = undefined
    this.#stage = 'idle'
    client?.destroy(ignore)
    // Also when it is still connecting, of which the client knows nothing.
    this.#socket?.destroy()
    this.#socket = undefined
  }

  #attempt({ signal, timeoutMs, clock }: ProbeContext): Promise<ProbeResult> {
    this.#connectFailure = undefined
    this.#client ??= this.#open(clock)
    const client = this.#client
    return attempt(signal, (settle) => {
      const answer = new Answer(this.#plan.expect)
      let over = false
      const end = (keep: boolean, result: ProbeResult): void => {
        if (over) return
        over = true
        if (!keep) this.close()
        settle(result)
      }
      const judged = (): ProbeResult => this.#judge(answer)
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart() {},
        onResponseStart(_controller, status, headers) {
          // 1xx come before the answer.
          if (status < 200) return
          answer.begin(status, headers)
          if (answer.headProblem() !== undefined) end(false, judged())
        },
        onResponseData(_controller, chunk) {
          if (!answer.add(chunk)) end(false, judged())
        },
        onResponseEnd: () => end(this.#plan.keepAlive, judged()),
        onResponseError: (_controller, error) => {
          end(false, this.#failure(error, answer))
        },
      }
      client.dispatch(
        {
          method: this.#plan.method,
          path: this.#plan.path,
          headers: this.#headers,
          body: this.#plan.body ?? null,
          reset: !this.#plan.keepAlive,
        },
        handler,
      )
      return {
        timeUp: () => failed(this.#lateness(answer, timeoutMs), this.#tls?.evidence),
        close: () => {
          // Nothing may be left of a request that did not end by itself.
          if (!over) this.close()
          over = true
        },
      }
    })
  }

  #judge(answer: Answer): ProbeResult {
    const evidence: Evidence = { ...this.#tls?.evidence, ...answer.evidence() }
    const problem = answer.problem()
    if (problem !== undefined) return refused(`${this.#request} ${problem}`, evidence)
    return passed(`${this.#request} answered ${answer.status}${this.#tls?.remark ?? ''}`, evidence)
  }

  #lateness(answer: Answer, timeoutMs: number): string {
    const { address } = this.#target
    if (this.#stage === 'connect') return `connect to ${address} timed out after ${timeoutMs}ms`
    if (this.#stage === 'handshake') {
      return `TLS handshake with ${address} did not finish within ${timeoutMs}ms`
    }
    return answer.status === 0
      ? `${this.#request} got no answer within ${timeoutMs}ms`
      : `${this.#request} answered ${answer.status}, but not all of its body came within ${timeoutMs}ms`
  }

  #failure(error: Error, answer: Answer): ProbeResult {
    if (this.#connectFailure !== undefined) return this.#connectFailure
    const { code = '' } = error as { code?: string }
    if (error.name === 'HTTPParserError' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
      return refused(`${this.#request} got no proper HTTP answer: ${error.message}`)
    }
    if (code === 'UND_ERR_HEADERS_OVERFLOW') {
      return refused(`${this.#request} got a head of more than ${maxHeaderBytes} bytes`, { code })
    }
    if (answer.status === 0) return stale
    if (code === 'UND_ERR_SOCKET') {
      return failed(`${this.#request} answered ${answer.status}, then closed before its end`, {
        code,
      })
    }
    return socketFailure(this.#request, error)
  }

  #open(clock: Clock): Client {
    const { tls, version } = this.#plan
    return new Client(tls === undefined ? 'http://check' : 'https://check', {
      // Our own timeout rules; the connection lives until the check or the server ends it.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 86_400_000,
      keepAliveMaxTimeout: 86_400_000,
      maxHeaderSize: maxHeaderBytes,
      pipelining: 1,
      allowH2: version === '2',
      connect: (_options, callback) => this.#connect(clock, callback),
    })
  }

  #connect(
    clock: Clock,
    callback: (...args: [null, Socket | TLSSocket] | [Error, null]) => void,
  ): void {
    const { tls, version, source } = this.#plan
    const target = this.#target
    const alpn = [version === '2' ? 'h2' : 'http/1.1']
    this.#stage = 'connect'
    this.#tls = undefined
    const socket =
      tls === undefined
        ? connectTcp({ ...connectOptions(target, source), noDelay: true })
        : openTls(target, tls, source, alpn)
    let stage: 'connect' | 'handshake' | 'open' = 'connect'
    const enter = (next: 'handshake' | 'open'): void => {
      stage = next
      if (this.#socket === socket) this.#stage = next
    }
    const fail = (error: Error, result: ProbeResult): void => {
      this.#connectFailure ??= result
      callback(error, null)
    }
    const open = (): void => {
      enter('open')
      this.#openedAt = clock.now()
      callback(null, socket)
    }
    this.#socket = socket
    socket.on('error', (error) => {
      // Once it is open, the client hears of errors by itself.
      if (stage !== 'open') fail(error, tlsFailure(target, stage, error))
    })
    socket.once('connect', () => {
      if (tls !== undefined) {
        enter('handshake')
        return
      }
      // The mark by which the client knows which protocol to speak.
      if (version === '2') Object.assign(socket, { alpnProtocol: 'h2' })
      open()
    })
    if (tls === undefined) return
    socket.once('secureConnect', () => {
      // A server of HTTP/1.1 need not know ALPN at all.
      const needed = version === '2' ? alpn : []
      this.#tls = judgeTls(socket as TLSSocket, target, tls, clock.wallNow(), needed)
      const { problem } = this.#tls
      if (problem === undefined) {
        open()
      } else {
        fail(new Error(problem.reason), problem)
        socket.destroy()
      }
    })
  }
}

/** The connection ended before any answer. */
const stale: ProbeResult = failed('the connection was closed before the answer')

function unstaled(result: ProbeResult, request: string): ProbeResult {
  return result === stale ? failed(`${request} got no answer: the connection was closed`) : result
}

function hostHeader(target: ProbeTarget, plan: HttpPlan): string {
  if (isUnix(target)) return 'localhost'
  const own = plan.tls === undefined ? 80 : 443
  return target.port === own ? target.address.replace(/:\d+$/, '') : target.address
}

function ignore(): void {}
