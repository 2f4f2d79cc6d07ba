import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { pool } from '@steelyard/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { type Folder, folder } from './folder.ts'
import { httpServing } from './http-serving.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { haproxy } from './peers/haproxy.ts'
import { nginx } from './peers/nginx.ts'
import { run, said } from './run.ts'

/** A server that answers each path with given bytes, whatever they are; `\f` at their end closes the connection. */
interface RawOrigin extends AsyncDisposable {
  readonly address: string
  /** Requests so far. */
  readonly seen: string[]
  readonly connections: number
}

async function rawOrigin(answers: Readonly<Record<string, string>>): Promise<RawOrigin> {
  const seen: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let text = ''
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      for (;;) {
        const end = text.indexOf('\r\n\r\n')
        if (end < 0) return
        const asked = /^\S+ (\S+)/.exec(text)?.[1] ?? ''
        text = text.slice(end + 4)
        seen.push(asked)
        const answer = answers[asked] ?? 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'
        if (answer.endsWith('\f')) socket.end(answer.slice(0, -1), 'latin1')
        else socket.write(answer, 'latin1')
      }
    })
  })
  const host = ownAddress()
  server.listen(0, host)
  await once(server, 'listening')
  return {
    address: at(host, (server.address() as AddressInfo).port),
    seen,
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

suiteWith(
  'an HTTP balancer in front of servers with odd ways',
  ['nginx', 'haproxy', 'curl', 'h2load'],
  () => {
    let home: Folder

    beforeAll(async () => {
      home = await folder()
      await home.write('form', 'name=steelyard&unit=pound')
    })

    afterAll(() => home?.[Symbol.asyncDispose]())

    async function curl(...args: string[]): Promise<string> {
      return said(path('curl'), ['-sS', '--max-time', '15', ...args])
    }

    /** nginx with one server; gives its address, and how many requests it has logged. */
    async function web(
      server: string,
      listen = '',
    ): Promise<AsyncDisposable & { readonly address: string; seen(): Promise<number> }> {
      const host = ownAddress()
      const address = at(host, await freePort(host))
      const log = home.at(`${address}.log`)
      const started = await nginx(home, {
        http: `  log_format line "$request_uri";
  server { listen ${address} backlog=1024 ${listen}; access_log ${log} line; ${server} }`,
      })
      return {
        address,
        seen: async () => (await readFile(log, 'utf8')).split('\n').length - 1,
        [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
      }
    }

    describe.each([
      ['GETs', []],
      ['POSTs', ['-d', 'form']],
    ] as const)('%s under load', (_, more) => {
      it.each([
        ['HTTP/1.1', 'http/1.1', '', ['--h1']],
        ['HTTP/2', 'h2', 'http2', ['--h1']],
        ['HTTP/1.1, its clients HTTP/2', 'http/1.1', '', ['-m', '10']],
        ['HTTP/2, its clients too', 'h2', 'http2', ['-m', '10']],
      ] as const)(
        'lose nothing when nginx ends connections after 100 requests of %s',
        async (_what, protocol, listen, args) => {
          await using origin = await web(
            'keepalive_requests 100; location / { return 200 "ok\\n"; }',
            listen,
          )
          await using serving = await httpServing(pool({ backends: [origin.address] }), {
            upstream: { protocol },
          })
          const report = await said(path('h2load'), [
            ...['-n', '5000', '-c', '10', ...args],
            ...more.map((word) => (word === 'form' ? home.at(word) : word)),
            `${serving.url}/x`,
          ])
          expect(/status codes: .*/.exec(report)?.[0]).toBe(
            'status codes: 5000 2xx, 0 3xx, 0 4xx, 0 5xx',
          )
          expect(report).toMatch(/5000 succeeded, 0 failed, 0 errored, 0 timeout/)
          await serving.quiet()
          expect(serving.unusual).toEqual([])
          await eventually(async () => String(await origin.seen()), /^5000$/)
        },
      )
    })

    it('fails no GET when nginx ends idle connections just when they are wanted', async () => {
      await using origin = await web('keepalive_timeout 40ms; location / { return 200 "ok\\n"; }')
      await using serving = await httpServing(pool({ backends: [origin.address] }), {
        upstream: { reuse: 'always' },
      })
      const statuses: number[] = []
      for (let round = 0; round < 60; round++) {
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => fetch(`${serving.url}/${round}`)),
        )
        for (const answer of answers) {
          statuses.push(answer.status)
          await answer.text()
        }
        // Around the moment at which nginx has had enough.
        await pause(30 + (round % 20))
      }
      expect(statuses.filter((status) => status !== 200)).toEqual([])
      expect(
        serving.served.some(({ attempts }) => attempts > 1) || (await origin.seen()) === 1200,
      ).toBe(true)
      expect(serving.unusual).toEqual([])
    })

    it.each(['v1', 'v2'] as const)(
      'tells HAProxy by PROXY %s who the client is',
      async (sendProxy) => {
        const host = ownAddress()
        const address = at(host, await freePort(host))
        await using _ = await haproxy(
          home,
          `frontend origin
  bind ${address} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[dst_port]\\n"`,
        )
        await using serving = await httpServing(pool({ backends: [address] }), {
          upstream: { sendProxy },
        })
        for (const [from, version] of [
          ['127.0.0.9', '--http1.1'],
          ['127.0.0.10', '--http2-prior-knowledge'],
          ['127.0.0.9', '--http1.0'],
        ] as const) {
          // Never on a connection that was opened for somebody else.
          const two = await curl('--interface', from, version, `${serving.url}/1`)
          expect(two).toBe(`${from} ${serving.port}\n`)
        }
        expect(serving.unusual).toEqual([])
      },
    )

    it('brings what nginx has compressed as it is, and plain to those who want it plain', async () => {
      const words = 'the scale tips when the weight is right. '.repeat(5000)
      await home.write('words.txt', words)
      await using origin = await web(
        `gzip on; gzip_vary on; gzip_proxied any; gzip_types *; root ${home.path};`,
      )
      await using serving = await httpServing(pool({ backends: [origin.address] }))
      const url = `${serving.url}/words.txt`
      for (const version of ['--http1.1', '--http2-prior-knowledge']) {
        expect(await curl(version, '--compressed', url)).toBe(words)
        expect(await curl(version, url)).toBe(words)
        const file = home.at('packed')
        const head = await curl(version, '-H', 'Accept-Encoding: gzip', '-D', '-', '-o', file, url)
        expect(head).toMatch(/content-encoding: gzip/i)
        expect(head).toMatch(/vary: accept-encoding/i)
        expect(gunzipSync(await readFile(file)).toString()).toBe(words)
      }
      expect(serving.unusual).toEqual([])
    })

    it('answers 504 for a server that thinks for too long, and 200 for one that is only slow', async () => {
      await using origin = await rawOrigin({ '/never': '' })
      await using serving = await httpServing(pool({ backends: [origin.address] }), {
        timeouts: { firstByte: '300ms' },
      })
      for (const version of ['--http1.1', '--http2-prior-knowledge']) {
        const answer = await curl(
          ...[
            version,
            '-o',
            '/dev/null',
            '-w',
            '%{http_code} %{time_total}',
            `${serving.url}/never`,
          ],
        )
        const [status, time] = answer.split(' ')
        expect(status).toBe('504')
        expect(Number(time)).toBeGreaterThan(0.25)
        expect(Number(time)).toBeLessThan(3)
      }
      expect(origin.seen).toEqual(['/never', '/never'])
      expect(serving.served).toMatchObject([
        { reason: 'first-byte-timeout' },
        { reason: 'first-byte-timeout' },
      ])
    })

    it.each(['--http1.1', '--http2-prior-knowledge'])(
      'brings early hints and trailers to curl %s',
      async (version) => {
        await using origin = await rawOrigin({
          '/hints':
            'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n' +
            'HTTP/1.1 103 Early Hints\r\nLink: </b.css>; rel=preload\r\n\r\n' +
            'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
          '/trailers':
            'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n' +
            '3;ext=1\r\nabc\r\n0002\r\nde\r\n0\r\nX-Sum: 5\r\nSet-Cookie: a=b\r\n\r\n',
          '/odd': 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
        })
        await using serving = await httpServing(pool({ backends: [origin.address] }))
        const hints = await curl(version, '-i', `${serving.url}/hints`)
        expect(hints.match(/^HTTP\/\S+ 103/gm)).toHaveLength(2)
        expect(hints).toMatch(/a\.css[\s\S]*b\.css[\s\S]* 200[\s\S]*ok$/)
        const trailers = await curl(version, '-i', '-H', 'TE: trailers', `${serving.url}/trailers`)
        expect(trailers).toMatch(/abcde/)
        expect(trailers).toMatch(/x-sum: 5/i)
        expect(trailers).not.toMatch(/set-cookie/i)
        expect(await curl(version, `${serving.url}/odd`)).toBe('ok')
        expect(serving.unusual).toEqual([])
      },
    )

    it.each(['--http1.1', '--http2-prior-knowledge'])(
      'does not take a body of another length for a whole one: curl %s',
      async (version) => {
        await using origin = await rawOrigin({
          '/short': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this\f',
          '/cut': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n\f',
          '/long':
            'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
          '/old': 'HTTP/1.0 200 OK\r\n\r\nuntil the end\f',
          '/both': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
          '/fine': 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine',
        })
        await using serving = await httpServing(pool({ backends: [origin.address] }), {
          upstream: { reuse: 'always' },
        })
        const of = (name: string): Promise<{ code: number; stdout: string }> =>
          run(path('curl'), ['-sS', '--max-time', '10', version, `${serving.url}/${name}`])
        for (const name of ['short', 'cut']) {
          const { code, stdout } = await of(name)
          expect(`${name} ${code === 0 ? 'whole' : 'cut'}`).toBe(`${name} cut`)
          expect('only thisabcde').toContain(stdout)
        }
        for (let i = 0; i < 5; i++) {
          expect((await of('long')).stdout).toMatch(/^(?:abc$|Bad Gateway)/)
          // What came behind the answer answers nobody.
          expect(await of('fine')).toMatchObject({ code: 0, stdout: 'fine' })
        }
        expect(await of('old')).toMatchObject({ code: 0, stdout: 'until the end' })
        const both = await curl(
          version,
          '-o',
          '/dev/null',
          '-w',
          '%{http_code}',
          `${serving.url}/both`,
        )
        expect(both).toBe('502')
        expect(await of('fine')).toMatchObject({ code: 0, stdout: 'fine' })
      },
    )
  },
)
