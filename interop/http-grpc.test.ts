import { once } from 'node:events'
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
import { pool } from '@steelyard/core'
import type { ForwardOptions, HttpBalancerOptions } from '@steelyard/l7'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { type Folder, folder } from './folder.ts'
import { type HttpServing, httpServing } from './http-serving.ts'
import { ownAddress } from './loopback.ts'
import { suiteWith } from './needs.ts'
import { authority, type Issued } from './peers/authority.ts'

const asIs = (value: Buffer): Buffer => value
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
      ...{ path: `/lab.Echo/${name}`, requestStream, responseStream },
      ...{ requestSerialize: asIs, requestDeserialize: asIs },
      ...{ responseSerialize: asIs, responseDeserialize: asIs },
    },
  ]),
) as unknown as ServiceDefinition

/** A server of @grpc/grpc-js, and what happened to its calls. */
interface Member extends AsyncDisposable {
  readonly address: string
  /** Calls by the word in them. */
  readonly calls: string[]
  readonly cancelled: string[]
  /** Answers that are still to be UNAVAILABLE. */
  refusals: number
  /** What clients told of the deadline, in the words of the wire. */
  readonly timeouts: string[]
}

async function member(name: string): Promise<Member> {
  const server = new Server({ 'grpc.max_receive_message_length': -1 })
  const calls: string[] = []
  const cancelled: string[] = []
  const timeouts: string[] = []
  const unary: handleUnaryCall<Buffer, Buffer> = (call, reply) => {
    const word = call.request.subarray(0, 20).toString()
    calls.push(word)
    timeouts.push(String(call.getDeadline()))
    call.on('cancelled', () => cancelled.push(word))
    if (self.refusals > 0) {
      self.refusals -= 1
      return reply({ code: status.UNAVAILABLE, details: `${name} is busy` })
    }
    if (word === 'slow') return
    if (word === 'fail') {
      const metadata = new Metadata()
      metadata.set('x-why', 'asked for')
      return reply({ code: status.FAILED_PRECONDITION, details: 'così non va', metadata })
    }
    const head = new Metadata()
    head.set('x-member', name)
    call.sendMetadata(head)
    const end = new Metadata()
    end.set('x-token', call.metadata.get('x-token')[0] ?? 'none')
    end.set('x-blob-bin', Buffer.from([0, 1, 254, 255]))
    reply(null, call.request, end)
  }
  const up: handleClientStreamingCall<Buffer, Buffer> = (call, reply) => {
    let sum = 0
    call.on('cancelled', () => cancelled.push('up'))
    call.on('data', (piece: Buffer) => {
      sum += piece.length
    })
    call.on('end', () => reply(null, Buffer.from(String(sum))))
  }
  const down: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    call.on('cancelled', () => cancelled.push('down'))
    const count = Number(call.request.toString())
    let sent = 0
    const more = (): void => {
      while (sent < count && !call.cancelled) {
        if (!call.write(Buffer.alloc(10_000, sent++))) return void call.once('drain', more)
      }
      call.end()
    }
    more()
  }
  const both: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    call.on('cancelled', () => cancelled.push('both'))
    call.on('data', (piece: Buffer) => call.write(Buffer.from(`<${piece.toString()}>`)))
    call.on('end', () => call.end())
  }
  server.addService(service, { unary, up, down, both })
  const host = ownAddress()
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:0`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  const self: Member = {
    ...{ address: `${host}:${port}`, calls, cancelled, timeouts, refusals: 0 },
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  }
  return self
}

const path = (name: keyof typeof kinds): string => `/lab.Echo/${name}`

/** What came of a unary call: its message or its error, and what was told besides. */
interface Outcome {
  readonly value: Buffer | undefined
  readonly error: ServiceError | undefined
  readonly head: Metadata | undefined
  readonly end: Metadata
}

function ask(
  client: Client,
  message: string | Buffer,
  metadata = new Metadata(),
  deadlineMs = 10_000,
): Promise<Outcome> {
  return new Promise((resolve) => {
    let head: Metadata | undefined
    let result: Pick<Outcome, 'value' | 'error'> | undefined
    const call = client.makeUnaryRequest(
      path('unary'),
      asIs,
      asIs,
      Buffer.from(message as string),
      metadata,
      { deadline: Date.now() + deadlineMs },
      (error, value) => (result = { value, error: error ?? undefined }),
    )
    call.on('metadata', (fields) => (head = fields))
    call.on('status', ({ metadata: end }) => setImmediate(() => resolve({ ...result!, head, end })))
  })
}

suiteWith('gRPC through an HTTP balancer', ['openssl'], () => {
  let home: Folder
  let edge: Issued
  let ca = ''
  const members: Member[] = []

  beforeAll(async () => {
    home = await folder()
    const trust = await authority(home)
    ca = trust.ca
    edge = await trust.issue('edge', ['DNS:edge.test', 'IP:127.0.0.1'])
    for (const name of ['a', 'b']) members.push(await member(name))
  })

  afterAll(async () => {
    for (const one of members) await one[Symbol.asyncDispose]()
    await home?.[Symbol.asyncDispose]()
  })

  interface Scene extends AsyncDisposable {
    readonly serving: HttpServing
    readonly client: Client
  }

  async function scene(
    down: 'h2c' | 'TLS',
    options: ForwardOptions = {},
    who = members.slice(0, 1),
  ): Promise<Scene> {
    const more: Partial<HttpBalancerOptions> =
      down === 'TLS' ? { tls: { certificates: [edge] } } : {}
    const serving = await httpServing(
      pool({ backends: who.map(({ address }) => address) }),
      { upstream: { protocol: 'h2' }, ...options },
      more,
    )
    const client = new Client(
      `127.0.0.1:${serving.port}`,
      down === 'TLS' ? credentials.createSsl(Buffer.from(ca)) : credentials.createInsecure(),
      { 'grpc.max_receive_message_length': -1, 'grpc.enable_retries': 0 },
    )
    return {
      ...{ serving, client },
      async [Symbol.asyncDispose]() {
        client.close()
        await serving[Symbol.asyncDispose]()
      },
    }
  }

  const nothingLeft = ({ serving }: Scene): Promise<void> =>
    eventually(() => String(serving.balancer.stats().exchanges), /^0$/)

  describe.each(['h2c', 'TLS'] as const)('by %s', (down) => {
    it('brings messages of every size, metadata, and trailers with binary values', async () => {
      await using stage = await scene(down)
      const metadata = new Metadata()
      metadata.set('x-token', 'secret')
      for (const size of [0, 1, 16_384, 65_536, 1_000_000, 12_000_000]) {
        const message = Buffer.alloc(size, `${size} and so on `)
        const { value, head, end } = await ask(stage.client, message, metadata)
        expect(value?.equals(message)).toBe(true)
        expect(head?.get('x-member')).toEqual(['a'])
        expect(end.get('x-token')).toEqual(['secret'])
        expect(end.get('x-blob-bin')).toEqual([Buffer.from([0, 1, 254, 255])])
      }
      expect(stage.serving.unusual).toEqual([])
    })

    it('tells status and message of a call that fails', async () => {
      await using stage = await scene(down)
      const { error } = await ask(stage.client, 'fail')
      expect(error).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'così non va' })
      expect(error?.metadata.get('x-why')).toEqual(['asked for'])
      expect(stage.serving.served).toMatchObject([{ status: 200, reason: 'done' }])
    })

    it('streams up, down, and both ways', async () => {
      await using stage = await scene(down)
      const { client } = stage
      const sum = await new Promise<string>((resolve, reject) => {
        const call = client.makeClientStreamRequest(path('up'), asIs, asIs, (error, value) =>
          error === null ? resolve(value!.toString()) : reject(error),
        )
        for (let i = 0; i < 500; i++) call.write(Buffer.alloc(10_000))
        call.end()
      })
      expect(sum).toBe('5000000')
      let [count, wrong] = [0, 0]
      const many = client.makeServerStreamRequest(path('down'), asIs, asIs, Buffer.from('1000'))
      for await (const piece of many as AsyncIterable<Buffer>) {
        if (piece.length !== 10_000 || piece[0] !== (count & 255)) wrong += 1
        count += 1
      }
      expect([count, wrong]).toEqual([1000, 0])
      const call = client.makeBidiStreamRequest<Buffer, Buffer>(path('both'), asIs, asIs)
      for (let i = 0; i < 50; i++) {
        call.write(Buffer.from(String(i)))
        const [answer] = (await once(call, 'data')) as [Buffer]
        expect(answer.toString()).toBe(`<${i}>`)
      }
      call.end()
      call.resume()
      await once(call, 'status')
      await nothingLeft(stage)
      expect(stage.serving.unusual).toEqual([])
    })

    it('lets a deadline pass, and ends the call at the member', async () => {
      await using stage = await scene(down)
      const before = members[0]!.cancelled.length
      const { error } = await ask(stage.client, 'slow', new Metadata(), 300)
      expect(error?.code).toBe(status.DEADLINE_EXCEEDED)
      await eventually(() => String(members[0]!.cancelled.length), new RegExp(`^${before + 1}$`))
      // The member was told how long the client would wait.
      expect(Number(members[0]!.timeouts.at(-1))).toBeLessThan(Date.now() + 300)
      await nothingLeft(stage)
    })

    it('cancels at the member what the client cancels, whichever way it streams', async () => {
      await using stage = await scene(down)
      const { cancelled } = members[0]!
      cancelled.length = 0
      const both = stage.client.makeBidiStreamRequest<Buffer, Buffer>(path('both'), asIs, asIs)
      both.on('error', () => {})
      both.write(Buffer.from('x'))
      await once(both, 'data')
      both.cancel()
      const many = stage.client.makeServerStreamRequest(
        path('down'),
        asIs,
        asIs,
        Buffer.from('1000000'),
      )
      many.on('error', () => {})
      await once(many, 'data')
      many.cancel()
      await eventually(() => [...cancelled].sort().join(), /^both,down$/)
      await nothingLeft(stage)
      expect(stage.serving.served.map(({ reason }) => reason)).toEqual([
        'client-aborted',
        'client-aborted',
      ])
    })

    it('has many calls at once on one connection', async () => {
      await using stage = await scene(down, {}, members)
      const words = Array.from({ length: 500 }, (_, i) => `word ${i}`)
      const answers = await Promise.all(words.map((word) => ask(stage.client, word)))
      expect(answers.map(({ value }) => value?.toString())).toEqual(words)
      expect(new Set(answers.map(({ head }) => String(head?.get('x-member'))))).toEqual(
        new Set(['a', 'b']),
      )
      expect(stage.serving.unusual).toEqual([])
    })
  })

  it('asks another member when one is unavailable, if told so', async () => {
    const [a, b] = members as [Member, Member]
    await using stage = await scene(
      'h2c',
      { retries: { attempts: 1, on: ['unavailable'], nonIdempotent: true } },
      members,
    )
    for (const one of members) one.calls.length = 0
    a.refusals = 3
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, i) => ask(stage.client, `again ${i}`)),
    )
    expect(answers.map(({ error }) => error?.details)).toEqual(Array.from({ length: 6 }))
    expect(a.refusals).toBe(0)
    expect(a.calls.length + b.calls.length).toBe(9)
    expect(stage.serving.balancer.stats().retries).toBe(3)
  })

  it('does not ask again when nobody told it', async () => {
    await using stage = await scene('h2c')
    members[0]!.refusals = 1
    const { error } = await ask(stage.client, 'once')
    expect(error).toMatchObject({ code: status.UNAVAILABLE, details: 'a is busy' })
    expect(stage.serving.balancer.stats().retries).toBe(0)
  })

  it('tells UNAVAILABLE when nobody is there', async () => {
    const gone = await member('gone')
    await gone[Symbol.asyncDispose]()
    await using stage = await scene('h2c', {}, [gone])
    const { error } = await ask(stage.client, 'hello?')
    expect(error?.code).toBe(status.UNAVAILABLE)
  })
})
