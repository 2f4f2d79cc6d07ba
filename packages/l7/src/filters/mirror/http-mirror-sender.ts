import http from 'node:http'
import https from 'node:https'
import {
  addressHash,
  type Backend,
  hashText,
  objectOption,
  type Pool,
  SteelyardError,
  untried,
} from '@steelyard/core'
import { wholeOption } from '../number-option.ts'
import type {
  MirrorCall,
  MirrorOutcome,
  MirrorOver,
  MirrorRequest,
  MirrorSender,
} from './mirror-sender.ts'

/** How the members of a mirror are spoken to. */
export interface HttpMirrorSenderOptions {
  /** Connections to one member at one time. Default 64. */
  readonly maxConnections?: number
  /** Speaks TLS, with these options of `node:https`. Default: none. */
  readonly tls?: https.AgentOptions
}

/**
 * A {@link MirrorSender} over `node:http`, HTTP/1.1 with kept connections. The pool counts and judges what it sends
 * as it does for live traffic.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function httpMirrorSender(
  options: HttpMirrorSenderOptions = {},
  path = 'httpMirrorSender',
): MirrorSender {
  objectOption(options, path)
  const settings = {
    keepAlive: true,
    maxFreeSockets: 16,
    maxSockets: wholeOption(
      options.maxConnections ?? 64,
      `${path}.maxConnections`,
      1,
      65_536,
      'bound',
    ),
  }
  const { tls } = options
  if (tls !== undefined) objectOption(tls, `${path}.tls`)
  const agent =
    tls === undefined ? new http.Agent(settings) : new https.Agent({ ...tls, ...settings })
  const open = tls === undefined ? http.request : https.request
  return {
    send(request, pool, over) {
      let slot: number
      try {
        slot = pool.pick(keyOf(request, pool), untried, request.client)
        if (slot >= 0) pool.opened(slot)
      } catch (error) {
        // A picker of the embedder's.
        over('failed', error)
        return nothing
      }
      if (slot < 0) {
        over('no-backend')
        return nothing
      }
      const call = new HttpCall(request, pool, slot, over)
      call.start((backend) => open(requestOptions(request, backend, agent)))
      return call
    },
    close: () => agent.destroy(),
  }
}

const nothing: MirrorCall = Object.freeze({ cancel() {} })

function keyOf({ client, target }: MirrorRequest, pool: Pool): number {
  if (pool.key === 'none') return 0
  return pool.key === 'request' ? hashText(target) : addressHash(client)
}

function requestOptions(
  { method, target, host, headers, body }: MirrorRequest,
  backend: Backend,
  agent: http.Agent,
): https.RequestOptions {
  const lines: string[] = ['Host', host]
  for (const [name, value] of headers) lines.push(name, value)
  // Said in any case, so that nothing depends on what a method usually has.
  lines.push('Content-Length', String(body?.length ?? 0))
  return {
    ...(backend.port === 0
      ? { socketPath: backend.host }
      : { host: backend.host, port: backend.port }),
    method,
    path: target,
    headers: lines,
    agent,
    setHost: false,
  }
}

/** One request to one member. Whatever happens, the pool's count for it goes down once, and `over` is told once. */
class HttpCall implements MirrorCall {
  readonly #request: MirrorRequest
  readonly #pool: Pool
  readonly #slot: number
  readonly #tell: MirrorOver
  readonly #beganAt: number
  #wire: http.ClientRequest | undefined = undefined
  #timer: Disposable | undefined = undefined
  #over = false

  constructor(request: MirrorRequest, pool: Pool, slot: number, tell: MirrorOver) {
    this.#request = request
    this.#pool = pool
    this.#slot = slot
    this.#tell = tell
    this.#beganAt = request.clock.now()
  }

  start(open: (backend: Backend) => http.ClientRequest): void {
    const { clock, timeoutMs, body } = this.#request
    try {
      const wire = open(this.#pool.backendAt(this.#slot))
      this.#wire = wire
      wire.on('error', (error) => this.#failed('failed', error))
      wire.on('response', (response) => this.#answered(response))
      wire.on('upgrade', (_response, socket) => {
        socket.destroy()
        this.#failed('failed', new Error('it switched protocols'))
      })
      this.#timer = clock.after(timeoutMs, () =>
        this.#failed('timeout', new Error(`no answer within ${timeoutMs} ms`)),
      )
      wire.end(body)
    } catch (error) {
      this.#failed('failed', error)
    }
  }

  cancel(): void {
    this.#finish('cancelled')
  }

  #answered(response: http.IncomingMessage): void {
    const latency = this.#request.clock.now() - this.#beganAt
    const { statusCode = 0 } = response
    response.on('error', (error) => this.#failed('failed', error))
    response.on('aborted', () => this.#failed('failed', new Error('its answer was cut')))
    response.on('end', () => {
      if (this.#over) return
      this.#judge(() => {
        if (statusCode < 500 || statusCode === 501) this.#pool.succeeded(this.#slot, latency)
        else this.#pool.failed(this.#slot, failure(`it answered ${statusCode}`, undefined))
      })
      this.#finish('answered')
    })
    response.resume()
  }

  #failed(outcome: 'failed' | 'timeout', cause: unknown): void {
    if (this.#over) return
    const error = failure('a mirrored request failed', cause)
    this.#judge(() => this.#pool.failed(this.#slot, error))
    this.#finish(outcome, error)
  }

  /** An observer of the pool that throws must not keep its count from going down. */
  #judge(tell: () => void): void {
    try {
      tell()
    } catch (error) {
      this.#finish('failed', error)
    }
  }

  #finish(outcome: MirrorOutcome, error?: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#timer?.[Symbol.dispose]()
    if (outcome !== 'answered') this.#wire?.destroy()
    this.#pool.closed(this.#slot)
    this.#tell(outcome, error)
  }
}

function failure(message: string, cause: unknown): SteelyardError<'mirror-failed'> {
  return new SteelyardError(message, {
    code: 'mirror-failed',
    source: 'backend',
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  })
}
