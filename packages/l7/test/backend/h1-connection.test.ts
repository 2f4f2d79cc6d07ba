import { isSteelyardError } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { unknownLength } from '../../src/wire/request-head.ts'
import { bed, bytes, type Exchange, nothing, ok, requestHead, text } from './bed.ts'

const get = () => requestHead('GET', '/x', { Accept: '*/*' })

describe('the request', () => {
  it('leaves in one write when it has no body', async () => {
    const { fresh, net, left } = bed()
    const { x, end } = await fresh()
    x.send(get())
    expect(net.inFlight).toBe(1)
    await net.settle()
    expect(text(end.received)).toBe('GET /x HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n')
    x.leg!.abort()
    expect(await left()).toEqual(nothing)
  })

  it('leaves in one write with a body that comes in the same turn', async () => {
    const { fresh, net } = bed()
    const { x, end } = await fresh()
    x.send(requestHead('POST', '/'), 5)
    expect(net.inFlight).toBe(0)
    expect(x.leg!.sendBody(bytes('hel'))).toBe(true)
    expect(net.inFlight).toBe(0)
    expect(x.leg!.sendBody(bytes('lo'))).toBe(true)
    expect(net.inFlight).toBe(1)
    x.leg!.finish(undefined)
    expect(net.inFlight).toBe(1)
    await net.settle()
    expect(text(end.received)).toBe(
      'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello',
    )
  })

  it('does not wait for a body beyond the turn', async () => {
    const { fresh, net } = bed()
    const { x, end } = await fresh()
    x.send(requestHead('POST', '/'), 5)
    await net.settle()
    expect(text(end.received)).toMatch(/\r\n\r\n$/)
    x.leg!.sendBody(bytes('hello'))
    await net.settle()
    expect(text(end.received)).toMatch(/\r\n\r\nhello$/)
  })

  it('chunks a body of unknown length, whatever the method, in one write when it can', async () => {
    const { fresh, net } = bed()
    const { x, end } = await fresh()
    x.send(requestHead('DELETE', '/'), unknownLength)
    x.leg!.sendBody(bytes('hello'))
    x.leg!.sendBody(bytes(''))
    x.leg!.sendBody(bytes(' world'))
    const trailers = requestHead('', '', { 'X-Sum': '11' })
    x.leg!.finish(trailers)
    expect(net.inFlight).toBe(1)
    await net.settle()
    expect(text(end.received)).toBe(
      'DELETE / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n',
    )
  })

  it('cuts large pieces into chunks, and keeps the order', async () => {
    const { fresh, net } = bed()
    net.window = 10_000_000
    const { x, end } = await fresh()
    x.send(requestHead('POST', '/'), unknownLength)
    const large = Uint8Array.from({ length: 600_000 }, (_, i) => i % 251)
    x.leg!.sendBody(bytes('a'))
    x.leg!.sendBody(large)
    x.leg!.sendBody(bytes('z'))
    x.leg!.finish(undefined)
    await net.settle()
    const wire = text(end.received)
    const sizes = [...wire.matchAll(/(?:^|\r\n)([0-9a-f]+)\r\n/gi)].map(([, hex]) => hex)
    expect(sizes.slice(0, 2)).toEqual(['1', '40000'])
    expect(unchunk(wire.slice(wire.indexOf('\r\n\r\n') + 4))).toBe(`a${text(large)}z`)
  })

  it('keeps two heads apart that wait at the same time', async () => {
    const { fresh, net } = bed()
    const one = await fresh()
    const two = await fresh()
    one.x.send(requestHead('POST', '/one'), 3)
    two.x.send(requestHead('POST', '/two'), 3)
    one.x.leg!.sendBody(bytes('111'))
    two.x.leg!.sendBody(bytes('222'))
    await net.settle()
    expect(text(one.end.received)).toMatch(/^POST \/one [^]*\r\n\r\n111$/)
    expect(text(two.end.received)).toMatch(/^POST \/two [^]*\r\n\r\n222$/)
  })

  it('ends the connection over a body that is not as long as announced', async () => {
    for (const body of ['hello!', 'hell']) {
      const { fresh, net, left } = bed()
      const { x, end } = await fresh()
      x.send(requestHead('POST', '/'), 5)
      x.leg!.sendBody(bytes(body))
      x.leg!.finish(undefined)
      expect(x.error?.code).toBe('hook-failed')
      await net.settle()
      expect(text(end.received)).not.toContain('hello!')
      expect(end.over).toBe('reset')
      expect(await left()).toEqual(nothing)
    }
  })

  it('asks to wait, and tells when there is room', async () => {
    const { fresh, net } = bed()
    const { x, end } = await fresh()
    end.slow = true
    x.send(requestHead('POST', '/'), 50_000)
    expect(x.leg!.sendBody(new Uint8Array(40_000))).toBe(false)
    await net.settle()
    expect(x.drains).toBe(0)
    end.slow = false
    await net.settle()
    expect(x.drains).toBe(1)
  })

  it('sends nothing of a head that was given up in the same turn, and keeps the connection', async () => {
    const { fresh, net, connections, left } = bed()
    const { x, end } = await fresh()
    x.send(requestHead('POST', '/'), 5)
    x.leg!.abort()
    await net.settle()
    expect(end.received.length).toBe(0)
    expect(connections.idle()).toBe(1)
    expect(await left()).toEqual(nothing)
  })
})

const responses: readonly {
  readonly name: string
  readonly wire: string
  readonly method?: string
  readonly told: Partial<Pick<Exchange, 'body' | 'status' | 'interim' | 'trailers'>>
  readonly kept?: boolean
}[] = [
  { name: 'a length', wire: ok, told: { status: 200, body: 'ok' } },
  {
    name: 'chunks with trailers',
    wire: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n',
    told: { status: 200, body: 'abcde', trailers: ['X-Sum: 5'] },
  },
  {
    name: 'no body',
    wire: 'HTTP/1.1 204 No Content\r\n\r\n',
    told: { status: 204, body: '' },
  },
  {
    name: 'the answer to HEAD',
    method: 'HEAD',
    wire: 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n',
    told: { status: 200, body: '' },
  },
  {
    name: 'not modified with a length',
    wire: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n',
    told: { status: 304, body: '' },
  },
  {
    name: 'informational ones first',
    wire: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok}`,
    told: { status: 200, body: 'ok', interim: [100, 103] },
  },
  {
    name: 'Connection: close',
    wire: 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    told: { status: 200, body: 'ok' },
    kept: false,
  },
  {
    name: 'HTTP/1.0',
    wire: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    told: { status: 200, body: 'ok' },
    kept: false,
  },
  {
    name: '204 with a length, which nobody should believe',
    wire: 'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n',
    told: { status: 204, body: '' },
    kept: false,
  },
]

describe('the response', () => {
  for (const { name, wire, method = 'GET', told, kept = true } of responses) {
    it(`has ${name}, however it is cut`, async () => {
      for (const cut of cuts(wire.length)) {
        const { fresh, net, connections, left } = bed()
        const { x, end } = await fresh()
        x.send(requestHead(method, '/'))
        await net.settle()
        for (const [from, to] of cut) end.send(bytes(wire.slice(from, to)))
        await net.settle()
        expect(x.error).toBeUndefined()
        expect(x).toMatchObject(told)
        expect(x.told.at(-1)).toBe('end')
        expect(connections.idle()).toBe(kept ? 1 : 0)
        expect(await left()).toEqual(nothing)
      }
    })
  }

  it('ends with the connection when it says no length', async () => {
    const { fresh, net, connections, left } = bed()
    const { x, end } = await fresh()
    x.send(get())
    await net.settle()
    end.send(bytes('HTTP/1.1 200 OK\r\n\r\nall of '))
    end.send(bytes('it'))
    await net.settle()
    expect(x.over).toBe(false)
    end.end()
    await net.settle()
    expect(x.told.at(-1)).toBe('end')
    expect(x.body).toBe('all of it')
    expect(connections.stats!().closed['not-kept']).toBe(1)
    expect(await left()).toEqual(nothing)
  })

  it('is never whole when the connection ends or breaks before its end', async () => {
    const wires = [
      ok,
      responses[1]!.wire,
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx',
    ]
    for (const wire of wires) {
      for (let length = 0; length < wire.length; length++) {
        for (const how of ['end', 'reset'] as const) {
          const { fresh, net, left } = bed()
          const { x, end } = await fresh()
          x.send(get())
          await net.settle()
          end.send(bytes(wire.slice(0, length)))
          await net.settle()
          end[how]()
          await net.settle()
          expect(x.told.at(-1)).toBe('failed')
          expect(x.error).toMatchObject({
            code: how === 'end' ? 'backend-closed' : 'backend-reset',
            source: 'backend',
            phase: x.heads.length > 0 ? 'response-body' : 'response-head',
            replayable: false,
          })
          expect(await left()).toEqual(nothing)
        }
      }
    }
  })

  it('breaks when a body without length does not end in order', async () => {
    const { fresh, net, left } = bed()
    const { x, end } = await fresh()
    x.send(get())
    await net.settle()
    end.send(bytes('HTTP/1.1 200 OK\r\n\r\npart'))
    await net.settle()
    end.reset()
    await net.settle()
    expect(x.error?.code).toBe('backend-reset')
    expect(await left()).toEqual(nothing)
  })

  const bad: Readonly<Record<string, string>> = {
    'two framings': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok',
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok',
    'a coding that is not chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'a bad chunk size': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n',
    'a chunk that is too long':
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n',
    'a body that is longer than its length': `${ok}k`,
    'a body where there is none': 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nok',
    'bytes behind the last chunk':
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n',
    'no HTTP': 'SSH-2.0-OpenSSH\r\n',
    'a switch that nobody asked for': 'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n',
    'a folded line': 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n',
    'a head that never ends': `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(20_000)}`,
    'informational ones without end': 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(200),
  }
  for (const [name, wire] of Object.entries(bad)) {
    it(`is refused with ${name}`, async () => {
      const { fresh, net, left } = bed()
      const { x, end } = await fresh()
      x.send(get())
      await net.settle()
      end.send(bytes(wire))
      await net.settle()
      expect(x.error).toMatchObject({ code: 'bad-response', source: 'backend', replayable: false })
      expect(isSteelyardError(x.error)).toBe(true)
      expect(x.told.filter((what) => what === 'end')).toEqual([])
      expect(end.over).toBeDefined()
      expect(await left()).toEqual(nothing)
    })
  }

  it('is told, and its connection closed, when bytes follow where no body can be', async () => {
    for (const [method, wire] of [
      ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
      ['GET', 'HTTP/1.1 304 Not Modified\r\n\r\nok'],
    ] as const) {
      const { fresh, net, connections, left } = bed()
      const { x, end } = await fresh()
      x.send(requestHead(method, '/'))
      await net.settle()
      end.send(bytes(wire))
      await net.settle()
      expect(x.told.at(-1)).toBe('end')
      expect(x.body).toBe('')
      expect(connections.stats!().closed['unexpected-bytes']).toBe(1)
      expect(await left()).toEqual(nothing)
    }
  })

  it('tells chunks that came together as one piece', async () => {
    const { fresh, net } = bed()
    const { x, end } = await fresh()
    x.send(get())
    await net.settle()
    const chunks = Array.from({ length: 500 }, (_, i) => `1\r\n${i % 10}\r\n`).join('')
    end.send(bytes(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`))
    await net.settle()
    expect(x.body).toBe('0123456789'.repeat(50))
    expect(x.pieces).toBe(1)
  })

  it('comes early: it is told, and the connection is not used again', async () => {
    const { fresh, net, connections, left } = bed()
    const { x, end } = await fresh()
    x.send(requestHead('POST', '/'), 100)
    x.leg!.sendBody(bytes('some'))
    await net.settle()
    end.send(bytes('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno'))
    await net.settle()
    expect(x).toMatchObject({ status: 413, body: 'no', error: undefined })
    expect(x.told.at(-1)).toBe('end')
    // Whoever did not hear in time does no harm.
    expect(x.leg!.sendBody(bytes('more'))).toBe(true)
    x.leg!.finish(undefined)
    await net.settle()
    expect(text(end.received)).not.toContain('more')
    expect(connections.stats!().closed['early-response']).toBe(1)
    expect(await left()).toEqual(nothing)
  })

  it('began early: the connection is not used again even when the request was finished', async () => {
    const { fresh, net, connections } = bed()
    const { x, end } = await fresh()
    x.send(requestHead('POST', '/'), 4)
    await net.settle()
    end.send(bytes('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no'))
    await net.settle()
    x.leg!.sendBody(bytes('some'))
    x.leg!.finish(undefined)
    await net.settle()
    end.send(bytes('k'))
    await net.settle()
    expect(x.told.at(-1)).toBe('end')
    expect(connections.idle()).toBe(0)
  })

  it('lets go of a sender who waits for room that will never come', async () => {
    const { fresh, net } = bed()
    const { x, end } = await fresh()
    end.slow = true
    x.send(requestHead('POST', '/'), 100_000)
    expect(x.leg!.sendBody(new Uint8Array(50_000))).toBe(false)
    await net.settle()
    end.send(bytes('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'))
    await net.settle()
    expect(x.told.slice(-2)).toEqual(['drained', 'end'])
  })
})

describe('a pause', () => {
  it('holds everything back, the end included, and loses nothing', async () => {
    const wire = responses[1]!.wire
    for (const cut of cuts(wire.length)) {
      const { fresh, net, connections, left } = bed()
      const { x, end } = await fresh()
      x.during = (what) => {
        if (what === 'head' || what === 'body') x.leg!.pauseBody()
      }
      x.send(get())
      await net.settle()
      for (const [from, to] of cut) end.send(bytes(wire.slice(from, to)))
      await net.settle()
      expect(x.told).not.toContain('end')
      for (let i = 0; i < 100 && !x.over; i++) {
        const before = x.told.length
        x.leg!.resumeBody()
        expect(x.told.length - before).toBeLessThanOrEqual(1)
        await net.settle()
      }
      expect(x).toMatchObject({ body: 'abcde', trailers: ['X-Sum: 5'], error: undefined })
      expect(connections.idle()).toBe(1)
      expect(await left()).toEqual(nothing)
    }
  })

  it('may be lifted from within', async () => {
    const { fresh, net } = bed()
    const { x, end } = await fresh()
    x.during = (what) => {
      if (what === 'head' || what === 'body') {
        x.leg!.pauseBody()
        x.leg!.resumeBody()
      }
    }
    x.send(get())
    await net.settle()
    end.send(bytes(ok.slice(0, -1)))
    await net.settle()
    end.send(bytes(ok.slice(-1)))
    await net.settle()
    expect(x.told).toEqual(['connected', 'head', 'body', 'body', 'end'])
  })

  it('does not lose a whole response to a connection that breaks meanwhile', async () => {
    for (const how of ['end', 'reset'] as const) {
      const { fresh, net, connections, left } = bed()
      const { x, end } = await fresh()
      x.during = (what) => what === 'head' && x.leg!.pauseBody()
      x.send(get())
      await net.settle()
      end.send(bytes(ok))
      await net.settle()
      end[how]()
      await net.settle()
      expect(x.told).toEqual(['connected', 'head'])
      x.leg!.resumeBody()
      await net.settle()
      expect(x.body).toBe('ok')
      expect(x.told.at(-1)).toBe('end')
      expect(connections.idle()).toBe(0)
      expect(await left()).toEqual(nothing)
    }
  })

  it('ends with the failure when a part is missing', async () => {
    const { fresh, net, left } = bed()
    const { x, end } = await fresh()
    x.during = (what) => what === 'head' && x.leg!.pauseBody()
    x.send(get())
    await net.settle()
    end.send(bytes(ok.slice(0, -1)))
    await net.settle()
    end.reset()
    await net.settle()
    x.leg!.resumeBody()
    expect(x).toMatchObject({ body: 'o', error: { code: 'backend-reset' } })
    expect(await left()).toEqual(nothing)
  })
})

describe('an upgrade', () => {
  const switching =
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'

  it('becomes a tunnel with the bytes that came early, both ways and both ends', async () => {
    for (const cut of cuts(switching.length + 5)) {
      const { fresh, net, connections, left } = bed()
      const { x, end } = await fresh({ upgrade: true })
      x.during = (what) => what === 'head' && x.leg!.switchProtocols()
      x.send(get(), 0, 'websocket')
      await net.settle()
      expect(text(end.received)).toMatch(/Connection: upgrade\r\nUpgrade: websocket\r\n\r\n$/)
      for (const [from, to] of cut) end.send(bytes(`${switching}early`.slice(from, to)))
      await net.settle()
      expect(x).toMatchObject({ status: 101, body: 'early' })
      x.leg!.sendBody(bytes('frames'))
      x.leg!.finish(undefined)
      await net.settle()
      expect(text(end.received)).toMatch(/\r\n\r\nframes$/)
      expect(end.ended).toBe(true)
      end.send(bytes(' and late'))
      end.end()
      await net.settle()
      expect(x.body).toBe('early and late')
      expect(x.told.at(-1)).toBe('end')
      expect(connections.stats!().closed.tunnel).toBe(1)
      expect(await left()).toEqual(nothing)
    }
  })

  it('waits for an exchange that takes its time, and can then be released', async () => {
    for (const release of [true, false]) {
      const { fresh, net, connections } = bed()
      const { x, end } = await fresh({ upgrade: true })
      x.send(get(), 0, 'websocket')
      await net.settle()
      end.send(bytes(`${switching}ear`))
      await net.settle()
      end.send(bytes('ly'))
      await net.settle()
      expect(x.told).toEqual(['connected', 'head'])
      x.leg!.switchProtocols()
      if (release) {
        const { stream, early } = x.leg!.releaseTunnel()!
        const come: string[] = [text(early)]
        stream.handler = {
          data: (_, range) => void come.push(text(range)),
          ended() {},
          drained() {},
          closed() {},
        }
        stream.resume()
        await net.settle()
        expect(come.join('')).toBe('early')
        expect(connections.open).toBe(0)
        x.leg!.abort()
        expect(stream.state).toBe('open')
      } else {
        await net.settle()
        expect(x.body).toBe('early')
      }
    }
  })

  it('that is refused is an ordinary response', async () => {
    const { fresh, net, connections } = bed()
    const { x, end } = await fresh({ upgrade: true })
    x.send(get(), 0, 'websocket')
    await net.settle()
    end.send(bytes(ok))
    await net.settle()
    expect(x.body).toBe('ok')
    expect(connections.idle()).toBe(1)
  })

  it('tells when the tunnel breaks', async () => {
    const { fresh, net, left } = bed()
    const { x, end } = await fresh({ upgrade: true })
    x.during = (what) => what === 'head' && x.leg!.switchProtocols()
    x.send(get(), 0, 'websocket')
    await net.settle()
    end.send(bytes(switching))
    await net.settle()
    end.reset()
    await net.settle()
    expect(x.error).toMatchObject({ code: 'backend-reset', phase: 'tunnel', replayable: false })
    expect(await left()).toEqual(nothing)
  })

  it('does not hold a connection whose last bytes nobody takes', async () => {
    const { fresh, net, clock, connections } = bed()
    const { x, end } = await fresh({ upgrade: true })
    x.during = (what) => what === 'head' && x.leg!.switchProtocols()
    x.send(get(), 0, 'websocket')
    await net.settle()
    end.send(bytes(switching))
    await net.settle()
    end.slow = true
    x.leg!.sendBody(bytes('frames'))
    end.end()
    await net.settle()
    x.leg!.finish(undefined)
    await net.settle()
    expect(connections.open).toBe(1)
    clock.advance(11_000)
    await net.settle()
    expect(connections.open).toBe(0)
    expect(net.open).toBe(0)
  })
})

/** Ways to cut so many bytes: at each place, and into single bytes. */
function cuts(length: number): [number, number][][] {
  const ways: [number, number][][] = [[[0, length]]]
  for (let at = 1; at < length; at++) {
    ways.push([
      [0, at],
      [at, length],
    ])
  }
  ways.push(Array.from({ length }, (_, i) => [i, i + 1]))
  return ways
}

function unchunk(wire: string): string {
  let rest = wire
  let body = ''
  for (;;) {
    const line = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.slice(0, line), 16)
    if (size === 0) return body
    body += rest.slice(line + 2, line + 2 + size)
    rest = rest.slice(line + 4 + size)
  }
}
