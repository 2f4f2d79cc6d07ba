import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectH2, type IncomingHttpHeaders } from 'node:http2'
import { promisify } from 'node:util'
import {
  type ChannelCredentials,
  Client,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js'
import { type ClientOptions, WebSocket } from 'ws'

const run = promisify(execFile)

/** A program of the system; a test that needs it says so when it is not there. */
export async function program(
  name: string,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly out: string }> {
  try {
    const { stdout } = await run(name, args, { timeout: 20_000 })
    return { code: 0, out: stdout }
  } catch (error) {
    const { code, stdout = '' } = error as { code?: number | string; stdout?: string }
    if (code === 'ENOENT') {
      throw new Error(`this test needs ${name}, and it is not installed`, { cause: error })
    }
    return { code: Number(code ?? -1), out: stdout }
  }
}

/** What came back over HTTP/2. */
export interface H2Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** One HTTP/2 request on a connection of its own. */
export async function askH2(
  origin: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  options: { readonly ca?: string; readonly servername?: string; readonly body?: string } = {},
): Promise<H2Answer> {
  const { body, ...tls } = options
  const session = connectH2(origin, tls)
  session.on('error', () => {
    // The stream tells of it.
  })
  try {
    const stream = session.request({
      ':path': path,
      ...(body === undefined ? {} : { ':method': 'POST' }),
      ...headers,
    })
    stream.setEncoding('utf8')
    stream.end(body)
    const [answer] = (await once(stream, 'response')) as [
      IncomingHttpHeaders & { ':status': number },
    ]
    let text = ''
    for await (const piece of stream) text += String(piece)
    return { status: answer[':status'], headers: answer, text }
  } finally {
    session.close()
  }
}

/** Opens a WebSocket, says something, and gives the answer. */
export async function askWebSocket(
  url: string,
  word: string,
  options: ClientOptions = {},
): Promise<string> {
  const socket = new WebSocket(url, options)
  try {
    await once(socket, 'open')
    socket.send(word)
    const [data] = (await once(socket, 'message')) as [Buffer]
    return data.toString()
  } finally {
    socket.close()
  }
}

const bytes = (value: Buffer): Buffer => value
const service: ServiceDefinition = {
  say: {
    path: '/test.Echo/Say',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
}

/** A gRPC server that answers in capital letters, and `fail` with NOT_FOUND. */
export async function grpcBackend(): Promise<AsyncDisposable & { readonly address: string }> {
  const server = new Server()
  const say: handleUnaryCall<Buffer, Buffer> = (call, reply) => {
    const word = call.request.toString()
    if (word === 'fail') return reply({ code: status.NOT_FOUND, details: 'no such thing' })
    reply(null, Buffer.from(word.toUpperCase()))
  }
  server.addService(service, { say })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.forceShutdown()
    },
  }
}

/** One gRPC call: the answer, or `code details`. */
export async function askGrpc(
  target: string,
  credentials: ChannelCredentials,
  word: string,
  options: Readonly<Record<string, string>> = {},
): Promise<string> {
  const client = new Client(target, credentials, options)
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(
        '/test.Echo/Say',
        bytes,
        bytes,
        Buffer.from(word),
        { deadline: Date.now() + 5000 },
        (error, answer) =>
          resolve(error === null ? (answer?.toString() ?? '') : `${error.code} ${error.details}`),
      )
    })
  } finally {
    client.close()
  }
}
