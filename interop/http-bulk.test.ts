import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request as requestH1 } from 'node:http'
import { connect as connectH2, createServer as createH2 } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Daemon, daemon } from './daemon.ts'
import type { HttpPlan } from './lab/http-process.ts'
import { at, ownAddress } from './loopback.ts'
import { suiteWith } from './needs.ts'

const mebibyte = 1024 * 1024
const program = fileURLToPath(new URL('lab/http-process.ts', import.meta.url))
const piece = Buffer.alloc(256 * 1024)
for (let i = 0; i < piece.length; i += 4) piece.writeUInt32LE((i * 2_654_435_761) >>> 0, i)

/** Length and check sum of a body. */
interface Sum {
  bytes: number
  crc: number
}

/** So many bytes, of which no two MiB are alike; what was given is summed up. */
function bulk(bytes: number, sum: Sum): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes; at += piece.length) {
        const next = Buffer.from(piece)
        next.writeUInt32LE(at, 0)
        add(sum, next)
        yield next
      }
    })(),
    { objectMode: false, highWaterMark: piece.length },
  )
}

function add(sum: Sum, bytes: Buffer): void {
  sum.bytes += bytes.length
  sum.crc = crc32(bytes, sum.crc)
}

/** Reads to the end; waits a while before and after the first bytes, as slow readers do, when told so. */
async function read(body: Readable, waitMs = 0): Promise<Sum> {
  const sum = { bytes: 0, crc: 0 }
  for await (const bytes of body as AsyncIterable<Buffer>) {
    add(sum, bytes)
    if (waitMs > 0 && sum.bytes < 4 * mebibyte) await pause(waitMs)
  }
  return sum
}

/** A server that gives `/N` MiB and takes everything. */
interface Origin extends AsyncDisposable {
  readonly address: string
  /** What was given or taken last, once it was whole. */
  readonly sums: Sum[]
  slowMs: number
}

async function origin(speech: 'h1' | 'h2'): Promise<Origin> {
  const sums: Sum[] = []
  const listener = async (
    request: Readable & { url?: string; method?: string },
    response: Writable,
  ): Promise<void> => {
    if (request.method === 'POST') {
      const sum = await read(request, self.slowMs)
      sums.push(sum)
      response.end(JSON.stringify(sum))
      return
    }
    const sum = { bytes: 0, crc: 0 }
    await pipeline(bulk(Number(request.url!.slice(1)) * mebibyte, sum), response)
    sums.push(sum)
  }
  const guarded = (request: Readable, response: Writable): void => {
    listener(request, response).catch(() => response.destroy())
  }
  const server: Server = speech === 'h1' ? createServer(guarded) : createH2(guarded as never)
  const host = ownAddress()
  server.listen(0, host)
  await once(server, 'listening')
  const self: Origin = {
    address: at(host, (server.address() as AddressInfo).port),
    sums,
    slowMs: 0,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
  return self
}

/** Sends a request; gives its response's body. */
interface Client extends Disposable {
  get(path: string): Promise<Readable>
  post(body: Readable): Promise<Readable>
}

function client(speech: 'h1' | 'h2', port: number): Client {
  if (speech === 'h1') {
    const agent = new Agent({ keepAlive: true })
    const ask = async (method: string, path: string, body?: Readable): Promise<Readable> => {
      const request = requestH1({ port, host: '127.0.0.1', method, path, agent })
      const answer = once(request, 'response') as Promise<[Readable]>
      if (body === undefined) request.end()
      else await pipeline(body, request)
      const [response] = await answer
      return response
    }
    return {
      get: (path) => ask('GET', path),
      post: (body) => ask('POST', '/', body),
      [Symbol.dispose]: () => agent.destroy(),
    }
  }
  const session = connectH2(`http://127.0.0.1:${port}`, {
    settings: { initialWindowSize: mebibyte },
  })
  session.on('error', () => {})
  return {
    async get(path) {
      return session.request({ ':path': path })
    },
    async post(body) {
      const stream = session.request({ ':path': '/', ':method': 'POST' }, { endStream: false })
      const sent = new Promise<void>((resolve, reject) => {
        body.on('error', reject)
        body.on('end', resolve)
      })
      body.pipe(stream)
      await sent
      return stream
    },
    [Symbol.dispose]: () => session.destroy(),
  }
}

/** MiB of memory that a process has, or had at most. */
function memory({ pid }: Daemon, what: 'VmHWM' | 'VmRSS'): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024
}

const noProc = process.platform === 'linux' ? undefined : 'needs /proc'

suiteWith(
  'bodies of 1 GiB through an HTTP balancer',
  [],
  () => {
    describe.each([
      ['h1', 'h1'],
      ['h1', 'h2'],
      ['h2', 'h1'],
      ['h2', 'h2'],
    ] as const)('%s with clients, %s with members', (down, up) => {
      interface Scene extends AsyncDisposable {
        readonly server: Origin
        readonly process: Daemon
        readonly asking: Client
        /** How much more memory than at the start was in use at most. */
        growth(): number
      }

      async function scene(): Promise<Scene> {
        const server = await origin(up)
        const plan: HttpPlan = {
          backends: [server.address],
          upstream: { protocol: up === 'h2' ? 'h2' : 'http/1.1' },
        }
        const balancer = await daemon(
          process.execPath,
          ['--conditions=@steelyard/source', program, JSON.stringify(plan)],
          { ready: /port \d+/ },
        )
        const port = Number(/port (\d+)/.exec(balancer.output)![1])
        const asking = client(down, port)
        // Everything is loaded and warm before memory is looked at.
        for (let i = 0; i < 3; i++) {
          await read(await asking.get('/8'))
          await read(await asking.post(bulk(8 * mebibyte, { bytes: 0, crc: 0 })))
        }
        const before = memory(balancer, 'VmRSS')
        writeFileSync(`/proc/${balancer.pid}/clear_refs`, '5')
        return {
          ...{ server, process: balancer, asking },
          growth: () => memory(balancer, 'VmHWM') - before,
          async [Symbol.asyncDispose]() {
            asking[Symbol.dispose]()
            await balancer.end()
            await server[Symbol.asyncDispose]()
          },
        }
      }

      it('brings 1 GiB either way, with bounded memory', async () => {
        await using stage = await scene()
        const got = await read(await stage.asking.get('/1024'))
        expect(got).toEqual(stage.server.sums.at(-1))
        expect(got.bytes).toBe(1024 * mebibyte)
        const downGrowth = stage.growth()
        const sent = { bytes: 0, crc: 0 }
        const answer = await stage.asking.post(bulk(1024 * mebibyte, sent))
        let text = ''
        for await (const bytes of answer) text += String(bytes)
        expect(JSON.parse(text)).toEqual(sent)
        expect(sent.bytes).toBe(1024 * mebibyte)
        const upGrowth = stage.growth()
        process.stdout.write(
          `${down} and ${up}: memory grew by ${downGrowth.toFixed(0)} MiB for the response, ${upGrowth.toFixed(0)} MiB for the request\n`,
        )
        expect(downGrowth).toBeLessThan(200)
        expect(upGrowth).toBeLessThan(200)
      })

      it('holds the sender back when the reader is slow', async () => {
        await using stage = await scene()
        const got = await read(await stage.asking.get('/64'), 20)
        expect(got).toEqual(stage.server.sums.at(-1))
        stage.server.slowMs = 20
        const sent = { bytes: 0, crc: 0 }
        const answer = await stage.asking.post(bulk(64 * mebibyte, sent))
        let text = ''
        for await (const bytes of answer) text += String(bytes)
        expect(JSON.parse(text)).toEqual(sent)
        expect(stage.growth()).toBeLessThan(50)
      })
    })
  },
  noProc,
)
