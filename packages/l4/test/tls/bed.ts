import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { SteelyardError, Stream, StreamListener, Transport } from '@steelyard/core'
import type { CertificateInit } from '../../src/tls/certificate.ts'
import { type TlsContexts, type TlsContextsOptions, tlsContexts } from '../../src/tls/contexts.ts'
import { type TerminatedTls, type TerminateOptions, terminate } from '../../src/tls/terminate.ts'
import { nodeTransport } from '../../src/transport/node-transport.ts'

/** A file of test/vectors/tls. */
export function pem(name: string): string {
  return readFileSync(new URL(`../vectors/tls/${name}.pem`, import.meta.url), 'utf8')
}

export function certificate(name: string, more: Partial<CertificateInit> = {}): CertificateInit {
  return { cert: pem(name), key: pem(`${name}-key`), ...more }
}

export const ca: string = pem('ca')

/** A listener whose connections end their TLS here. */
export interface Bed extends AsyncDisposable {
  readonly port: number
  readonly transport: Transport
  readonly contexts: TlsContexts
  /** The next connection's outcome: the secure side, or the failure. */
  next(): Promise<TerminatedTls | SteelyardError>
  /** The next connection's secure side, which must come about. */
  secure(): Promise<TerminatedTls>
  /** The next connection's failure, which must come about. */
  failure(): Promise<SteelyardError>
}

export async function bed(
  settings: Partial<TlsContextsOptions> = {},
  options: Partial<TerminateOptions> = {},
  transport: Transport = nodeTransport(),
): Promise<Bed> {
  const contexts = tlsContexts({
    certificates: [certificate('a'), certificate('b'), certificate('local')],
    ...settings,
  })
  const outcomes: Promise<TerminatedTls | SteelyardError>[] = []
  const waiting: ((outcome: Promise<TerminatedTls | SteelyardError>) => void)[] = []
  const streams: Stream[] = []
  const listener: StreamListener = await transport.listen(
    { host: '127.0.0.1', port: 0 },
    {
      accepted(stream) {
        const outcome = terminate(stream, { contexts, transport, ...options }).catch(
          (error: unknown) => error as SteelyardError,
        )
        void outcome.then((result) => 'stream' in result && streams.push(result.stream))
        const waiter = waiting.shift()
        if (waiter === undefined) outcomes.push(outcome)
        else waiter(outcome)
      },
      failed(error) {
        throw error
      },
    },
  )
  const next = (): Promise<TerminatedTls | SteelyardError> =>
    outcomes.shift() ?? new Promise((resolve) => waiting.push(resolve))
  return {
    port: listener.address.port,
    transport,
    contexts,
    next,
    async secure() {
      const outcome = await next()
      if ('stream' in outcome) return outcome
      throw outcome
    },
    async failure() {
      const outcome = await next()
      if ('stream' in outcome) throw new Error('the handshake succeeded')
      return outcome
    },
    async [Symbol.asyncDispose]() {
      await listener.close()
      for (const stream of streams) stream.destroy()
    },
  }
}

/** A TLS client of the test authority; it has connected when it resolves. */
export async function client(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = attempt(port, options)
  await once(socket, 'secureConnect')
  return socket
}

/** The same, without waiting. */
export function attempt(port: number, options: ConnectionOptions = {}): TLSSocket {
  return tlsConnect({ port, host: '127.0.0.1', ca, servername: 'a.example', ...options })
}

/** How a client fails: OpenSSL's reason or the code. */
export async function refusal(socket: Socket): Promise<string> {
  socket.resume()
  return new Promise((resolve) => {
    let said = 'closed'
    socket.on('error', (error: NodeJS.ErrnoException & { reason?: string }) => {
      said = error.reason ?? error.code ?? error.message
    })
    socket.on('close', () => resolve(said))
  })
}

/** Sends everything back, FIN included. */
export function echo(stream: Stream): void {
  stream.handler = {
    data(from, bytes) {
      if (!from.write(bytes)) from.pause()
    },
    drained: (from) => from.resume(),
    ended: (from) => from.end(),
    closed() {},
  }
  stream.resume()
}

/** Resolves when the stream is closed, with its failure if there was one. */
export function closing(stream: Stream): Promise<SteelyardError | undefined> {
  return new Promise((resolve) => {
    stream.handler = {
      data() {},
      ended: (from) => from.end(),
      drained() {},
      closed: (_, error) => resolve(error),
    }
    stream.resume()
  })
}

/** Everything that a Node socket reads until its end. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** A plain server on a free port of loopback. */
export async function plainServer(
  onSocket: (socket: Socket) => void,
): Promise<Server & { port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}
