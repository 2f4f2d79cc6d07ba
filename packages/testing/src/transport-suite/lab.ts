import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  AcceptHandler,
  ConnectTarget,
  ListenTarget,
  Stream,
  StreamListener,
  Transport,
  TransportError,
} from '@steelyard/core'
import { type Recorder, recorder } from './recorder.ts'

/** What a transport under test is told when it is made. */
export interface TransportHooks {
  /** Must hear what a handler throws. */
  readonly onHandlerError: (error: unknown) => void
}

/** Makes a transport under test. */
export type MakeTransport = (hooks: TransportHooks) => Transport

/** A stream of the transport under test, its recorder, and the plain socket at its other end. */
export interface Joint {
  readonly stream: Stream
  readonly heard: Recorder
  readonly peer: Socket
}

/** A test's own transport, with plain peers around it; everything is closed when the test ends. */
export interface Lab {
  readonly transport: Transport
  /** What handlers threw. */
  readonly thrown: unknown[]
  /** Opens a listener of the transport; default target `127.0.0.1:0`. */
  listen(handler: Partial<AcceptHandler>, target?: ListenTarget): Promise<StreamListener>
  /** A stream that the transport accepted; it is not resumed. */
  accepted(target?: ListenTarget): Promise<Joint & { readonly listener: StreamListener }>
  /** A stream that the transport connected, opened. */
  connected(target?: Partial<ConnectTarget>): Promise<Joint>
  /** Connects without waiting. */
  connect(
    target: ConnectTarget,
    heard?: Recorder,
  ): { readonly stream: Stream; readonly heard: Recorder }
  /** A plain server that half-closes by hand; returns it and its port. */
  server(
    onConnection: (socket: Socket) => void,
    at?: { host: string } | { path: string },
  ): Promise<{ server: Server; port: number }>
  /** A plain client that half-closes by hand. */
  client(target: { port: number; host?: string } | { path: string }): Promise<Socket>
  /** A path for a unix socket; the file is removed at the end. */
  path(): string
  /** Does this when the test ends. */
  cleanup(task: () => unknown): void
}

/** Wraps a test's body with a {@link Lab}. */
export function withLab(
  makeTransport: MakeTransport,
  body: (lab: Lab) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const tasks: (() => unknown)[] = []
    const lab = makeLab(makeTransport, (task) => tasks.push(task))
    try {
      await body(lab)
    } finally {
      for (const task of tasks.reverse()) await task()
    }
  }
}

function makeLab(makeTransport: MakeTransport, cleanup: (task: () => unknown) => void): Lab {
  const thrown: unknown[] = []
  const transport = makeTransport({ onHandlerError: (error) => thrown.push(error) })
  const plain = (socket: Socket): Socket => {
    socket.on('error', () => {})
    cleanup(() => socket.destroy())
    return socket
  }
  const lab: Lab = {
    transport,
    thrown,
    cleanup,
    async listen(handler, target = { host: '127.0.0.1', port: 0 }) {
      const failed = (error: TransportError): void => {
        throw error
      }
      const listener = await transport.listen(target, {
        accepted: handler.accepted ?? ((stream) => stream.destroy()),
        failed: handler.failed ?? failed,
      })
      cleanup(() => listener.close())
      return listener
    },
    async accepted(target) {
      const arrival = Promise.withResolvers<Stream>()
      const heard = recorder()
      const listener = await lab.listen(
        {
          accepted(stream) {
            stream.handler = heard
            cleanup(() => stream.destroy())
            arrival.resolve(stream)
          },
        },
        target,
      )
      const { address, port, path } = listener.address
      const host = address === '::' ? '::1' : address === '0.0.0.0' ? '127.0.0.1' : address
      const peer = await lab.client(path === undefined ? { port, host } : { path })
      return { stream: await arrival.promise, heard, peer, listener }
    },
    async connected(target = {}) {
      const arrival = Promise.withResolvers<Socket>()
      const { path } = target
      const { port } = await lab.server(arrival.resolve, path === undefined ? undefined : { path })
      const { stream, heard } = lab.connect(
        path === undefined ? { host: '127.0.0.1', port, ...target } : { path },
      )
      await heard.heard('opened')
      return { stream, heard, peer: await arrival.promise }
    },
    connect(target, heard = recorder()) {
      const stream = transport.connect(target, heard)
      cleanup(() => stream.destroy())
      return { stream, heard }
    },
    async server(onConnection, at = { host: '127.0.0.1' }) {
      const server = createServer({ allowHalfOpen: true }, (socket) => onConnection(plain(socket)))
      server.listen('path' in at ? at : { port: 0, ...at })
      await once(server, 'listening')
      cleanup(() => server.close())
      return { server, port: 'path' in at ? 0 : (server.address() as AddressInfo).port }
    },
    async client(target) {
      const socket = plain(
        connect({ allowHalfOpen: true, host: '127.0.0.1', noDelay: true, ...target }),
      )
      await once(socket, 'connect')
      return socket
    },
    path() {
      const path = join(tmpdir(), `steelyard-${randomUUID()}.sock`)
      cleanup(() => rm(path, { force: true }))
      return path
    },
  }
  return lab
}
