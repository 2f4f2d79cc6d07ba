import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type Clock, type Logger, systemClock, type TimerWheel, timerWheel } from '@steelyard/core'
import type { ClientEvents, ClientHost, ClientLeg } from '../../../src/client/client-leg.ts'
import type { H2Options } from '../../../src/client/h2/h2-options.ts'
import { type H2Server, h2Server } from '../../../src/client/h2/h2-server.ts'
import type { ConnectionFacts } from '../../../src/exchange/connection-facts.ts'
import type { ExchangeError } from '../../../src/exchange/exchange-error.ts'
import { type GateOptions, gateSettings } from '../../../src/gate/gate-options.ts'
import type { Head } from '../../../src/wire/head.ts'
import type { RequestHead } from '../../../src/wire/request-head.ts'
import { ResponseHead } from '../../../src/wire/response-head.ts'

/** One request as an exchange would hear of it. */
export class HeardRequest implements ClientEvents {
  readonly leg: ClientLeg
  readonly method: string
  readonly path: string
  readonly lines: readonly (readonly [string, string])[]
  readonly bodyLength: number
  body = Buffer.alloc(0)
  received = 0
  ended = false
  trailers: Head | undefined
  closed: ExchangeError | undefined
  drained = 0
  onBody: ((bytes: Uint8Array) => void) | undefined
  onDrained: (() => void) | undefined
  #changed: (() => void)[] = []

  constructor(leg: ClientLeg) {
    this.leg = leg
    this.method = leg.request.method
    this.path = leg.request.target
    this.lines = [...leg.request]
    this.bodyLength = leg.request.bodyLength
    this.ended = leg.request.bodyLength === 0 && leg.request.upgrade === ''
  }

  header(name: string): string | undefined {
    return this.lines.find(([key]) => key === name)?.[1]
  }

  requestBody(bytes: Uint8Array): void {
    this.received += bytes.length
    if (this.onBody !== undefined) this.onBody(bytes)
    else this.body = Buffer.concat([this.body, bytes])
    this.#tell()
  }

  requestEnd(trailers: Head | undefined): void {
    if (this.ended) throw new Error('ended twice')
    this.ended = true
    this.trailers = trailers
    this.#tell()
  }

  clientDrained(): void {
    this.drained += 1
    this.onDrained?.()
    this.#tell()
  }

  clientClosed(error: ExchangeError): void {
    if (this.closed !== undefined) throw new Error('closed twice')
    this.closed = error
    this.#tell()
  }

  /** Resolves when it is so. */
  async until(so: () => boolean): Promise<void> {
    while (!so()) {
      await new Promise<void>((resolve) => this.#changed.push(resolve))
    }
  }

  #tell(): void {
    const waiting = this.#changed
    this.#changed = []
    for (const resolve of waiting) resolve()
  }
}

/** A head with a few lines. */
export function responseHead(
  status = 200,
  lines: readonly (readonly [string, string])[] = [],
): ResponseHead {
  const head = new ResponseHead()
  head.status = status
  for (const [name, value] of lines) head.add(name, value)
  return head
}

/** Answers with a text. */
export function answer(leg: ClientLeg, body = 'ok', status = 200): void {
  leg.sendHead(responseHead(status), body.length, leg.request.method === 'HEAD', false)
  leg.sendBody(Buffer.from(body))
  leg.finish(undefined)
  leg.release(false)
}

export interface H2Lab extends AsyncDisposable {
  readonly port: number
  readonly server: H2Server
  readonly requests: readonly HeardRequest[]
  readonly refused: readonly { readonly error: ExchangeError; readonly status: number }[]
  /** What was logged at info and above. */
  readonly logged: readonly { readonly message: string; readonly fields: unknown }[]
  readonly sockets: ReadonlySet<Socket>
  /** Resolves with the n-th request. */
  request(n: number): Promise<HeardRequest>
}

export interface H2LabOptions {
  readonly h2?: H2Options
  readonly gate?: GateOptions
  readonly clock?: Clock
  readonly wheel?: TimerWheel
  /** What becomes of a request. Default: answered with `ok`, its body read to the end first. */
  readonly handle?: (request: HeardRequest) => void
  /** Makes the socket that the server gets of the one that was accepted. */
  readonly wrap?: (socket: Socket) => Promise<Socket>
}

/** Reads the body and then answers. */
export function answerAfterBody(request: HeardRequest): void {
  const { leg } = request
  if (request.bodyLength === 0) return answer(leg)
  leg.resumeBody()
  void request
    .until(() => request.ended || request.closed !== undefined)
    .then(() => {
      if (request.closed === undefined) answer(leg)
    })
}

let connections = 0

export function factsOf(socket: Socket): ConnectionFacts {
  const at = (address = '127.0.0.1', port = 0) => ({ address, port, family: 4 as const })
  connections += 1
  return {
    id: connections,
    client: at(socket.remoteAddress, socket.remotePort),
    local: at(socket.localAddress, socket.localPort),
    peer: at(socket.remoteAddress, socket.remotePort),
    tls: undefined,
    trusted: false,
    covers: undefined,
  }
}

/** An HTTP/2 server of ours on loopback, with hosts that are told by the test. */
export async function h2Lab(options: H2LabOptions = {}): Promise<H2Lab> {
  const { handle = answerAfterBody, clock = systemClock } = options
  const wheel = options.wheel ?? timerWheel({ clock })
  const requests: HeardRequest[] = []
  const refused: { error: ExchangeError; status: number }[] = []
  const logged: { message: string; fields: unknown }[] = []
  const sockets = new Set<Socket>()
  let waiting: (() => void)[] = []
  const host: ClientHost = {
    begin(leg) {
      const request = new HeardRequest(leg)
      requests.push(request)
      handle(request)
      const resolves = waiting
      waiting = []
      for (const resolve of resolves) resolve()
      return request
    },
    refused(_connection, error, status, _request: RequestHead | undefined) {
      refused.push({ error, status })
    },
  }
  const note = (fields: unknown, message: string): void => void logged.push({ fields, message })
  const log: Logger = { debug() {}, info: note, warn: note, error: note }
  const server = h2Server(options.h2 ?? {}, host, {
    gate: gateSettings(options.gate ?? {}),
    log,
    clock,
    wheel,
  })
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    if (options.wrap === undefined) return server.adopt(socket, factsOf(socket))
    options.wrap(socket).then(
      (wrapped) => server.adopt(wrapped, factsOf(socket)),
      () => socket.destroy(),
    )
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address() as { port: number }
  return {
    port: address.port,
    server,
    requests,
    refused,
    logged,
    sockets,
    async request(n) {
      while (requests.length < n) await new Promise<void>((resolve) => waiting.push(resolve))
      return requests[n - 1]!
    },
    async [Symbol.asyncDispose]() {
      server.cut()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
      wheel[Symbol.dispose]()
    },
  }
}
