import {
  Client,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { type JoinedProxy, joinedProxy } from './joined-proxy.ts'

const bytes = (value: Buffer): Buffer => value
const kinds = {
  unary: [false, false],
  up: [true, false],
  down: [false, true],
  both: [true, true],
} as const

const service = Object.fromEntries(
  Object.entries(kinds).map(([name, [requestStream, responseStream]]) => [
    name,
    {
      path: `/test.Echo/${name}`,
      requestStream,
      responseStream,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    },
  ]),
) as unknown as ServiceDefinition

const unary: handleUnaryCall<Buffer, Buffer> = (call, reply) => {
  const word = call.request.toString()
  if (word === 'fail') {
    const trailer = new Metadata()
    trailer.set('x-why', 'asked for')
    return reply({
      code: status.NOT_FOUND,
      details: 'no such thing, à la carte',
      metadata: trailer,
    })
  }
  if (word === 'slow') return undefined
  call.sendMetadata(new Metadata())
  const trailer = new Metadata()
  trailer.set('x-token', call.metadata.get('x-token')[0] ?? 'none')
  trailer.set('x-blob-bin', Buffer.from([0, 255]))
  reply(null, Buffer.from(word.toUpperCase()), trailer)
}

const up: handleClientStreamingCall<Buffer, Buffer> = (call, reply) => {
  let sum = 0
  call.on('data', (piece: Buffer) => {
    sum += piece.length
  })
  call.on('end', () => reply(null, Buffer.from(String(sum))))
}

const down: handleServerStreamingCall<Buffer, Buffer> = (call) => {
  for (let i = 0; i < Number(call.request.toString()); i++) call.write(Buffer.alloc(1000, i))
  call.end()
}

const cancelled: string[] = []
const both: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
  call.on('cancelled', () => cancelled.push('both'))
  call.on('data', (piece: Buffer) => call.write(Buffer.from(`<${piece.toString()}>`)))
  call.on('end', () => call.end())
}

interface GrpcLab extends AsyncDisposable {
  readonly client: Client
  readonly proxy: JoinedProxy
}

async function grpcLab(): Promise<GrpcLab> {
  const server = new Server()
  server.addService(service, { unary, up, down, both })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  const proxy = await joinedProxy(`127.0.0.1:${port}`)
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure())
  return {
    client,
    proxy,
    async [Symbol.asyncDispose]() {
      client.close()
      await proxy[Symbol.asyncDispose]()
      server.forceShutdown()
    },
  }
}

function path(name: keyof typeof kinds): string {
  return `/test.Echo/${name}`
}

test('unary calls: messages, metadata, trailers with binary values', async () => {
  await using lab = await grpcLab()
  const metadata = new Metadata()
  metadata.set('x-token', 'secret')
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const call = lab.client.makeUnaryRequest(
    path('unary'),
    bytes,
    bytes,
    Buffer.from('hello'),
    metadata,
    (error, value) => (error === null ? resolve(value!) : reject(error)),
  )
  const end = new Promise<Metadata>((done) => call.on('status', (at) => done(at.metadata)))
  expect((await promise).toString()).toBe('HELLO')
  const trailer = await end
  expect(trailer.get('x-token')).toEqual(['secret'])
  expect(trailer.get('x-blob-bin')).toEqual([Buffer.from([0, 255])])
})

test('a failed call: status and message in trailers alone', async () => {
  await using lab = await grpcLab()
  const error = await new Promise<ServiceError>((resolve) =>
    lab.client.makeUnaryRequest(path('unary'), bytes, bytes, Buffer.from('fail'), (failure) =>
      resolve(failure!),
    ),
  )
  expect([error.code, error.details]).toEqual([status.NOT_FOUND, 'no such thing, à la carte'])
  expect(error.metadata.get('x-why')).toEqual(['asked for'])
})

test('a method that is not there', async () => {
  await using lab = await grpcLab()
  const error = await new Promise<ServiceError>((resolve) =>
    lab.client.makeUnaryRequest('/test.Echo/none', bytes, bytes, Buffer.from('x'), (failure) =>
      resolve(failure!),
    ),
  )
  expect(error.code).toBe(status.UNIMPLEMENTED)
})

test('a deadline passes, and the stream to the member is reset', async () => {
  await using lab = await grpcLab()
  const error = await new Promise<ServiceError>((resolve) =>
    lab.client.makeUnaryRequest(
      path('unary'),
      bytes,
      bytes,
      Buffer.from('slow'),
      new Metadata(),
      { deadline: Date.now() + 200 },
      (failure) => resolve(failure!),
    ),
  )
  expect(error.code).toBe(status.DEADLINE_EXCEEDED)
  while (lab.proxy.server.streams > 0 || lab.proxy.pool.idle() === 0) {
    await new Promise(setImmediate)
  }
})

test('client streaming', async () => {
  await using lab = await grpcLab()
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const call = lab.client.makeClientStreamRequest(path('up'), bytes, bytes, (error, value) =>
    error === null ? resolve(value!) : reject(error),
  )
  for (let i = 0; i < 100; i++) call.write(Buffer.alloc(1000))
  call.end()
  expect((await promise).toString()).toBe('100000')
})

test('server streaming', async () => {
  await using lab = await grpcLab()
  const call = lab.client.makeServerStreamRequest(path('down'), bytes, bytes, Buffer.from('200'))
  let count = 0
  for await (const piece of call) {
    expect((piece as Buffer)[0]).toBe(count & 255)
    count += 1
  }
  expect(count).toBe(200)
})

test('streaming both ways, each message answered before the next is sent', async () => {
  await using lab = await grpcLab()
  const call = lab.client.makeBidiStreamRequest<Buffer, Buffer>(path('both'), bytes, bytes)
  const answers: string[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  call.on('data', (piece: Buffer) => {
    answers.push(piece.toString())
    if (answers.length < 20) call.write(Buffer.from(String(answers.length)))
    else call.end()
  })
  call.on('error', reject)
  call.on('end', () => resolve())
  call.write(Buffer.from('0'))
  await promise
  expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => `<${i}>`))
})

test('a call that is cancelled is cancelled at the member', async () => {
  await using lab = await grpcLab()
  const call = lab.client.makeBidiStreamRequest<Buffer, Buffer>(path('both'), bytes, bytes)
  call.on('error', () => {})
  call.write(Buffer.from('x'))
  await new Promise((resolve) => call.once('data', resolve))
  call.cancel()
  while (cancelled.length === 0) await new Promise(setImmediate)
  while (lab.proxy.server.streams > 0) await new Promise(setImmediate)
  expect(cancelled).toEqual(['both'])
})

test('many calls at once', async () => {
  await using lab = await grpcLab()
  const answers = await Promise.all(
    Array.from(
      { length: 300 },
      (_, i) =>
        new Promise<string>((resolve, reject) =>
          lab.client.makeUnaryRequest(
            path('unary'),
            bytes,
            bytes,
            Buffer.from(`w${i}`),
            (error, value) => (error === null ? resolve(value!.toString()) : reject(error)),
          ),
        ),
    ),
  )
  expect(answers).toEqual(Array.from({ length: 300 }, (_, i) => `W${i}`))
  expect(lab.proxy.failures).toEqual([])
})
