import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { Bed, call, notInstalled, portOf, theirModule } from './bed.ts'
import { deadPort } from './scenarios.ts'

const folder = new URL('../../../../examples/http-proxy-switch/', import.meta.url)
const importLine = "import * as httpProxy from '@steelyard/l7/http-proxy'\n"

if (theirModule === undefined) console.warn(notInstalled)

/** A program of the example, with the one line of the import changed for theirs, and the port it listens at. */
class Program implements AsyncDisposable {
  readonly lines: string[] = []
  readonly #child: ChildProcess
  readonly #folder: string

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child
    this.#folder = folder
  }

  static async start(
    name: string,
    which: 'ours' | 'theirs',
    ...args: string[]
  ): Promise<[Program, number]> {
    const text = await readFile(new URL(name, folder), 'utf8')
    if (!text.includes(importLine)) throw new Error(`${name} does not import as it says`)
    const module =
      which === 'ours'
        ? importLine.replace(
            '@steelyard/l7/http-proxy',
            import.meta.resolve('@steelyard/l7/http-proxy'),
          )
        : `import httpProxy from '${pathToFileURL(theirModule!).href}'\n`
    const made = await mkdtemp(join(tmpdir(), 'http-proxy-switch-'))
    await writeFile(join(made, 'package.json'), '{"type":"module"}')
    await writeFile(join(made, name), text.replace(importLine, module))
    const child = spawn(
      process.execPath,
      ['--conditions=@steelyard/source', '--no-warnings', join(made, name), '0', ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const program = new Program(child, made)
    let errors = ''
    child.stderr.on('data', (piece: Buffer) => (errors += piece.toString()))
    const ready = Promise.withResolvers<number>()
    child.once('exit', (code) => ready.reject(new Error(`exit ${code}: ${errors}`)))
    createInterface(child.stdout).on('line', (line) => {
      program.lines.push(line)
      const match = /^listening on port (\d+)$/.exec(line)
      if (match !== null) ready.resolve(Number(match[1]))
    })
    return [program, await ready.promise]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      const exit = once(this.#child, 'exit')
      this.#child.kill()
      await exit
    }
    await rm(this.#folder, { recursive: true })
  }
}

/** What the programs do, told so that both can be held against it. */
const journeys: Readonly<Record<string, (which: 'ours' | 'theirs') => Promise<unknown>>> = {
  async 'main.ts'(which) {
    await using bed = new Bed()
    const api = await bed.origin((req, res) => {
      res.setHeader('set-cookie', 'a=1; Domain=api.example; Path=/')
      res.setHeader('content-security-policy', 'none')
      res.setHeader('location', `${api}/next`)
      res.statusCode = 302
      const {
        host,
        'x-forwarded-for': from,
        'x-forwarded-host': asked,
        'x-dev-server': dev,
      } = req.headers
      res.end(JSON.stringify([req.url, host === new URL(api).host, from, asked, dev]))
    })
    const dead = `http://127.0.0.1:${await deadPort()}`
    const [program, port] = await Program.start('main.ts', which, api, dead)
    await using _program = program
    const headers = { host: 'dev.example' }
    const first = await call(port, { path: '/api/users?id=1', headers })
    const second = await call(port, { path: '/index.html', headers })
    return [
      first.status,
      JSON.parse(first.body),
      first.headers['set-cookie'],
      first.headers.location,
      first.headers['access-control-allow-origin'],
      first.headers['content-security-policy'],
      second.status,
      JSON.parse(second.body),
    ]
  },

  async 'websocket-gateway.ts'(which) {
    await using bed = new Bed()
    const origin = await bed.server()
    const chat = new WebSocketServer({ server: origin })
    chat.on('connection', (socket, req) =>
      socket.on('message', (data) =>
        socket.send(
          [
            req.headers['x-room'],
            req.headers['x-forwarded-proto'],
            (data as Buffer).toString(),
          ].join(' '),
        ),
      ),
    )
    const [program, port] = await Program.start(
      'websocket-gateway.ts',
      which,
      `ws://127.0.0.1:${portOf(origin)}`,
    )
    await using _program = program
    const client = new WebSocket(`ws://127.0.0.1:${port}/lobby?token=open-sesame`)
    await once(client, 'open')
    client.send('hello')
    const [data] = (await once(client, 'message')) as [Buffer]
    client.close(1001)
    const [code] = (await once(client, 'close')) as [number]
    const stranger = new WebSocket(`ws://127.0.0.1:${port}/lobby`)
    stranger.on('error', () => undefined)
    const [, refusal] = (await once(stranger, 'unexpected-response')) as [
      unknown,
      { statusCode: number; destroy(): void },
    ]
    refusal.destroy()
    const page = await call(port)
    chat.close()
    return [data.toString(), code, refusal.statusCode, page.status, program.lines.slice(1, 3)]
  },

  async 'rewrite-bodies.ts'(which) {
    await using bed = new Bed()
    const target = await bed.origin((req, res) => {
      let text = ''
      req.on('data', (piece: Buffer) => (text += piece.toString()))
      req.on('end', () => {
        res.statusCode = 201
        res.setHeader('content-type', req.url === '/text' ? 'text/plain' : 'application/json')
        res.end(
          req.url === '/text'
            ? 'plain'
            : JSON.stringify({ got: text, length: req.headers['content-length'] }),
        )
      })
    })
    const [program, port] = await Program.start('rewrite-bodies.ts', which, target)
    await using _program = program
    const headers = { 'content-type': 'application/json' }
    const body = '{"name":"é"}'
    const posted = await call(
      port,
      { method: 'POST', headers: { ...headers, 'content-length': Buffer.byteLength(body) } },
      body,
    )
    const text = await call(port, { path: '/text' })
    const broken = await call(port, { method: 'POST', headers }, '{')
    return [
      posted.status,
      JSON.parse(posted.body),
      posted.headers['x-served-by'],
      text.body,
      broken.status,
    ]
  },
}

const expected: Readonly<Record<string, unknown>> = {
  'main.ts': [
    302,
    ['/users?id=1', true, '127.0.0.1', 'dev.example', 'yes'],
    ['a=1; Path=/'],
    'http://dev.example/next',
    '*',
    undefined,
    503,
    { error: 'the service is not running' },
  ],
  'websocket-gateway.ts': ['lobby ws hello', 1001, 401, 426, ['open', 'close']],
  'rewrite-bodies.ts': [
    201,
    { got: '{"name":"é","tenant":"acme"}', length: '29', served: 'rewritten' },
    'rewrite-bodies',
    'plain',
    400,
  ],
}

describe('programs written for http-proxy', () => {
  it.each(Object.keys(journeys))('are small: %s', async (name) => {
    const text = await readFile(new URL(name, folder), 'utf8')
    expect(text.split('\n').length).toBeLessThanOrEqual(81)
  })

  for (const [name, journey] of Object.entries(journeys)) {
    it(`runs ${name}`, async () => {
      expect(await journey('ours')).toEqual(expected[name])
    })

    it(`does with http-proxy the same: ${name}`, async (context) => {
      context.skip(theirModule === undefined, notInstalled)
      expect(await journey('theirs')).toEqual(expected[name])
    })
  }
})
