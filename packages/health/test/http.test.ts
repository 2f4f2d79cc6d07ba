import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { checkerSuite } from '@steelyard/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { type HttpCheckOptions, httpCheck, type ProbeResult } from '../src/index.ts'
import {
  httpPeer,
  httpsPeer,
  nobody,
  probe,
  type ServedPeer,
  tcpPeer,
  testCa,
  tlsPeer,
} from './peers.ts'

checkerSuite('httpCheck', {
  makeCheck: () => httpCheck({ path: '/healthz', expectBody: 'fine' }),
  well: () => httpPeer((_request, response) => response.end('all fine')),
  unwell: () =>
    httpPeer((_request, response) => {
      response.statusCode = 503
      response.end()
    }),
  silent: () => httpPeer(() => {}),
})

checkerSuite('httpCheck over TLS', {
  makeCheck: () => httpCheck({ tls: { ca: testCa, servername: 'check.test', verify: true } }),
  well: () => httpsPeer((_request, response) => response.end('all fine')),
  unwell: nobody,
  silent: () => tcpPeer(),
})

checkerSuite('httpCheck with a connection for each check', {
  makeCheck: () => httpCheck({ keepAlive: false }),
  well: () => httpPeer((_request, response) => response.end('all fine')),
  unwell: () => tcpPeer((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n')),
  silent: () => tcpPeer(),
})

describe('httpCheck', () => {
  const open: (() => Promise<void> | void)[] = []
  const served = (peer: ServedPeer): ServedPeer => {
    open.push(() => peer.close())
    return peer
  }
  const http = async (listener: RequestListener): Promise<ServedPeer> =>
    served(await httpPeer(listener))
  const ask = (options: HttpCheckOptions, peer: ServedPeer): Promise<ProbeResult> => {
    const check = httpCheck(options)
    open.push(() => check.forget?.(peer))
    return probe(check, peer)
  }
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close()
  })

  it('asks as it is told, and says what it got', async () => {
    const asked: unknown[] = []
    const peer = await http((request, response) => {
      const { method, url, headers } = request
      request.setEncoding('utf8').on('data', (body) => asked.push(body))
      request.on('end', () => {
        asked.push(method, url, headers.host, headers['x-check'], headers['user-agent'])
        response.end('ok')
      })
    })
    const result = await ask(
      {
        method: 'POST',
        path: '/a%20b?c=d',
        host: 'api.example.com',
        headers: { 'X-Check': 'yes' },
        body: 'hello',
      },
      peer,
    )
    expect(asked).toEqual([
      'hello',
      'POST',
      '/a%20b?c=d',
      'api.example.com',
      'yes',
      'steelyard-health',
    ])
    expect(result).toEqual({
      outcome: 'ok',
      reason: `POST http://${peer.address}/a%20b?c=d answered 200`,
      evidence: { status: 200, bodyBytes: 2 },
    })
  })

  it('names the target as host when it is told none', async () => {
    const hosts: unknown[] = []
    const peer = await http((request, response) => {
      hosts.push(request.headers.host)
      response.end()
    })
    await ask({}, peer)
    expect(hosts).toEqual([peer.address])
  })

  it.each([
    [undefined, 204, 'ok'],
    [undefined, 301, 'fail'],
    [200, 204, 'fail'],
    [[200, 204], 204, 'ok'],
    ['200-399', 302, 'ok'],
    ['200,204,300-302', 303, 'fail'],
    [401, 401, 'ok'],
  ] as const)('expecting %j, gets %i: %s', async (expectCodes, status, outcome) => {
    let requests = 0
    const peer = await http((_request, response) => {
      requests += 1
      response.writeHead(status, { location: '/elsewhere' }).end()
    })
    const result = await ask(expectCodes === undefined ? {} : { expect: expectCodes }, peer)
    expect(result.outcome).toBe(outcome)
    // Redirects are compared, never followed.
    expect(requests).toBe(1)
    if (outcome === 'fail') {
      expect(result.reason).toContain(`answered ${status}, expected `)
      expect(result).toMatchObject({ definite: true, evidence: { status } })
    }
  })

  it.each([
    ['fine', 'ok'],
    [/"ok":\s*true/, 'ok'],
    [{ regex: 'GRÜN', flags: 'i' }, 'ok'],
    [{ hex: '7b' }, 'ok'],
    ['sick', 'fail'],
  ] as const)('finds %j in the body: %s', async (expectBody, outcome) => {
    const peer = await http((_request, response) => {
      response.write('{"ok": tr')
      setImmediate(() => response.end('ue, "state": "fine, grün"}'))
    })
    const result = await ask({ expectBody }, peer)
    expect(result.outcome, result.reason).toBe(outcome)
    if (outcome === 'fail') {
      expect(result.reason).toBe(
        `GET http://${peer.address}/ answered 200, but "sick" is not in its body`,
      )
    }
  })

  it('wants headers', async () => {
    const peer = await http((_request, response) => {
      response.setHeader('X-Role', 'primary')
      response.end()
    })
    expect((await ask({ expectHeaders: { 'x-role': 'primary' } }, peer)).outcome).toBe('ok')
    expect((await ask({ expectHeaders: { 'X-Role': /^prim/ } }, peer)).outcome).toBe('ok')
    expect((await ask({ expectHeaders: { 'x-role': 'replica' } }, peer)).reason).toContain(
      'answered 200, but header x-role is "primary", expected replica',
    )
    expect((await ask({ expectHeaders: { 'x-none': 'a' } }, peer)).reason).toContain(
      'header x-none is missing',
    )
  })

  it('reads no more of a huge body than it may, and judges by that', async () => {
    const closed = Promise.withResolvers<number>()
    const peer = await http((_request, response) => {
      response.write('begin')
      let sent = 0
      const pour = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536
      }
      response.on('drain', pour)
      response.on('close', () => closed.resolve(sent))
      pour()
    })
    expect((await ask({ expectBody: 'begin', maxBody: '4KiB' }, peer)).outcome).toBe('ok')
    expect(await closed.promise).toBeLessThan(50_000_000)
    expect((await ask({ expectBody: 'end', maxBody: '4KiB' }, peer)).reason).toContain(
      'but "end" is not in the first 4096 bytes of its body',
    )
    expect((await ask({ maxBody: '4KiB' }, peer)).outcome).toBe('ok')
  })

  it('passes over interim answers', async () => {
    const peer = await http((_request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      response.end('fine')
    })
    expect(await ask({ expect: 200, expectBody: 'fine' }, peer)).toMatchObject({ outcome: 'ok' })
  })

  it('asks by HEAD without waiting for a body', async () => {
    const peer = await http((_request, response) => {
      response.setHeader('content-length', 1000)
      response.end()
    })
    expect((await ask({ method: 'HEAD' }, peer)).outcome).toBe('ok')
  })

  it('keeps its connection, and closes it when the target is forgotten', async () => {
    const peer = await http((_request, response) => response.end('fine'))
    const check = httpCheck()
    let connections = 0
    // Counted from now on.
    const before = peer.sockets.size
    for (let i = 0; i < 5; i++) {
      expect((await probe(check, peer)).outcome).toBe('ok')
      connections = Math.max(connections, peer.sockets.size - before)
    }
    expect(connections).toBe(1)
    const [socket] = peer.sockets
    check.forget?.(peer)
    await once(socket!, 'close')
    expect(peer.sockets.size).toBe(0)
  })

  it('connects anew after ten minutes, and each time when told so', async () => {
    const ports = new Set<number | undefined>()
    const peer = await http((request, response) => {
      ports.add(request.socket.remotePort)
      response.end('fine')
    })
    const check = httpCheck()
    open.push(() => check.forget?.(peer))
    let now = 0
    const clock = { now: () => now, wallNow: () => 0, after: () => ({ [Symbol.dispose]() {} }) }
    for (const at of [0, 1000, 599_000, 601_000]) {
      now = at
      await probe(check, peer, undefined, { clock })
    }
    expect(ports.size).toBe(2)
    ports.clear()
    const anew = httpCheck({ keepAlive: false })
    for (let i = 0; i < 3; i++) expect((await probe(anew, peer)).outcome).toBe('ok')
    expect(ports.size).toBe(3)
  })

  it('does not blame a server that closes an idle connection just when it is used', async () => {
    let requests = 0
    const peer = served(
      await tcpPeer((socket) => {
        let first = true
        socket.on('data', () => {
          requests += 1
          // The second request on a connection is answered by its end.
          if (first) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
          else socket.destroy()
          first = false
        })
      }),
    )
    const check = httpCheck()
    open.push(() => check.forget?.(peer))
    for (let i = 0; i < 3; i++) expect((await probe(check, peer)).outcome).toBe('ok')
    expect(requests).toBe(5)
  })

  it.each([
    ['closes without an answer', '', 'got no answer: the connection was closed'],
    ['speaks something else', 'SSH-2.0-OpenSSH\r\n', 'got no proper HTTP answer'],
    [
      'cuts its body short',
      'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc',
      'answered 200, then closed',
    ],
    [
      'sends a head without end',
      `HTTP/1.1 200 OK\r\n${'x-filler: 0123456789\r\n'.repeat(2000)}`,
      'got a head of more than 16384 bytes',
    ],
  ])('fails who %s', async (_what, answer, reason) => {
    const peer = served(await tcpPeer((socket) => socket.once('data', () => socket.end(answer))))
    const result = await ask({}, peer)
    expect(result.outcome).toBe('fail')
    expect(result.reason).toContain(reason)
  })

  it('says how far it came when the time is up', async () => {
    const asked = Promise.withResolvers<void>()
    const slow = await http((_request, response) => {
      response.write('half')
      asked.resolve()
    })
    const check = httpCheck()
    open.push(() => check.forget?.(slow))
    const time = new AbortController()
    const result = probe(check, slow, time.signal)
    await asked.promise
    await new Promise((resolve) => setImmediate(resolve))
    time.abort()
    expect((await result).reason).toMatch(
      new RegExp(
        `^GET http://${slow.address}/ (got no answer|answered 200, but not all of its body came) within 5000ms$`,
      ),
    )
    const dead = await nobody()
    expect((await ask({}, dead as ServedPeer)).reason).toBe(`connect to ${dead.address} refused`)
    expect((await probe(check, slow, AbortSignal.abort())).reason).toBe(
      `connect to ${slow.address} timed out after 5000ms`,
    )
  })

  it('speaks HTTPS: as it is by default, verified when told to', async () => {
    const peer = served(await httpsPeer((_request, response) => response.end('fine')))
    expect(await ask({ tls: true }, peer)).toMatchObject({
      outcome: 'ok',
      reason: `GET https://${peer.address}/ answered 200`,
      evidence: { status: 200, certificateTrusted: false, tlsVersion: 'TLSv1.3' },
    })
    const servername = 'check.test'
    expect(await ask({ tls: { verify: true, ca: testCa, servername } }, peer)).toMatchObject({
      outcome: 'ok',
      evidence: { certificateTrusted: true },
    })
    expect((await ask({ tls: { verify: true, servername } }, peer)).reason).toBe(
      `the certificate of ${peer.address} is not valid: UNABLE_TO_VERIFY_LEAF_SIGNATURE`,
    )
    expect((await ask({ tls: { verify: true, ca: testCa } }, peer)).outcome).toBe('fail')
  })

  it('tells TLS from no TLS', async () => {
    const plain = await http((_request, response) => response.end())
    expect((await ask({ tls: true }, plain)).reason).toContain(
      `TLS handshake with ${plain.address} failed: `,
    )
    const tls = served(await tlsPeer())
    expect((await ask({}, tls)).outcome).toBe('fail')
  })

  it('speaks HTTP/2 in the clear, and refuses a server that does not over TLS', async () => {
    const server = createHttp2Server((request, response) => {
      response.end(`${request.httpVersion} ${request.headers[':path']}`)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const target = Object.freeze({ address: `127.0.0.1:${port}`, host: '127.0.0.1', port })
    const check = httpCheck({ version: '2', path: '/x', expectBody: '2.0 /x' })
    for (let i = 0; i < 3; i++) expect(await probe(check, target)).toMatchObject({ outcome: 'ok' })
    check.forget?.(target)
    server.close()
    await once(server, 'close')
    const old = served(await tlsPeer())
    expect((await ask({ version: '2', tls: true }, old)).reason).toBe(
      `${old.address} speaks none of h2`,
    )
  })

  it.each<[HttpCheckOptions, string]>([
    [{ method: 'CONNECT' }, 'httpCheck.method: "CONNECT" is no method'],
    [{ method: 'GET /' }, 'httpCheck.method: "GET /" is no method'],
    [{ path: 'healthz' }, 'httpCheck.path: "healthz" is no path'],
    [{ path: '/a b' }, 'httpCheck.path: "/a b" is no path'],
    [{ path: '/\r\nx: y' }, 'httpCheck.path: '],
    [{ host: 'a b' }, 'httpCheck.host: "a b" is no host name'],
    [{ headers: { 'x y': '1' } }, 'httpCheck.headers.x y: "x y" is no header name'],
    [{ headers: { x: 'a\r\nb' } }, 'httpCheck.headers.x: holds control characters'],
    [{ headers: { Host: 'x' } }, 'httpCheck.headers.host: is set by the check itself'],
    [{ expect: 'ok' }, 'httpCheck.expect: "ok" is no status code'],
    [{ expectBody: '' }, 'httpCheck.expectBody: is empty'],
    [{ maxBody: '1GiB' }, 'httpCheck.maxBody: 1073741824 bytes'],
    [{ version: '1.0' as '1.1' }, 'httpCheck.version: "1.0" is neither 1.1 nor 2'],
    [{ tls: { minVersion: 'x' as 'TLSv1' } }, 'httpCheck.tls.minVersion: "x" is none of'],
  ])('refuses %j', (options, message) => {
    expect(() => httpCheck(options)).toThrow(message)
  })
})
