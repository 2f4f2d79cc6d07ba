import { describe, expect, it } from 'vitest'
import { get, ok, rig, text } from './rig.ts'

describe('an exchange over HTTP/1.1', () => {
  it('carries lines over as they came, and frames by itself', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(
      client,
      get('/a?b=c', 'X-Odd:   Case  ', 'Connection: keep-alive, x-gone', 'X-Gone: 1'),
    )
    const backend = await r.accept()
    expect(text(backend)).toBe('GET /a?b=c HTTP/1.1\r\nHost: a.example\r\nX-Odd:   Case  \r\n\r\n')
    await r.say(backend, ok('hello', 'X-Reply: yes', 'Keep-Alive: timeout=5'))
    expect(text(client)).toBe('HTTP/1.1 200 OK\r\nX-Reply: yes\r\nContent-Length: 5\r\n\r\nhello')
    expect(r.records).toHaveLength(1)
    expect(r.records[0]).toMatchObject({ status: 200, bytesOut: 5, reason: 'done', attempts: 1 })
  })

  it('uses connections again, both ways', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, get('/1'))
    const backend = await r.accept()
    await r.say(backend, ok('one'))
    await r.say(client, get('/2'))
    expect(text(backend)).toContain('GET /2 HTTP/1.1')
    await r.say(backend, ok('two'))
    expect(text(client)).toMatch(/one[^]*two$/)
    expect(r.network.asked).toHaveLength(1)
    expect(r.records.map(({ reused }) => reused)).toEqual([false, true])
  })

  it('answers pipelined requests in order, one at a time', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, get('/1') + get('/2') + get('/3'))
    const backend = await r.accept()
    expect(text(backend).match(/GET/g)).toHaveLength(1)
    await r.say(backend, ok('one'))
    await r.say(backend, ok('two'))
    await r.say(backend, ok('three'))
    expect(text(client)).toMatch(/one[^]*two[^]*three$/)
  })

  it.each([
    ['by length', 'Content-Length: 5\r\n\r\nhello', 'Content-Length: 5\r\n\r\nhello'],
    [
      'in chunks, extensions and all',
      'Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n',
      'Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n',
    ],
  ])('sends a body on %s, whatever the cuts', async (_, sent, expected) => {
    for (const cut of [1, 3, 7, 20, 45]) {
      await using r = await rig()
      const client = r.client()
      const whole = `DELETE /x HTTP/1.1\r\nHost: a.example\r\n${sent}`
      await r.say(client, whole.slice(0, cut))
      await r.say(client, whole.slice(cut))
      const backend = await r.accept()
      const got = text(backend)
      expect(got.slice(0, 35)).toBe('DELETE /x HTTP/1.1\r\nHost: a.example')
      // Pieces may be joined or cut anew; what they say may not change.
      expect(unchunked(got)).toBe(unchunked(`DELETE /x HTTP/1.1\r\nHost: a.example\r\n${expected}`))
      await r.say(backend, ok('done'))
      expect(text(client)).toContain('done')
    }
  })

  it('sends a response on that ends with its connection', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, get())
    const backend = await r.accept()
    await r.say(backend, 'HTTP/1.1 200 OK\r\n\r\nto the end')
    backend.end()
    await r.network.settle()
    expect(text(client)).toBe(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nto the end\r\n0\r\n\r\n',
    )
    await r.say(client, get('/again'))
    expect(r.network.asked).toHaveLength(2)
  })

  it('cuts a response visibly that its member broke off', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, get())
    const backend = await r.accept()
    await r.say(backend, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    backend.end()
    await r.network.settle()
    expect(client.over).toBe('reset')
    expect(r.records[0]).toMatchObject({
      reason: 'backend-closed',
      endedBy: 'backend',
      status: 200,
    })
  })

  it('ends the attempt when the client goes away', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, get())
    const backend = await r.accept()
    client.end()
    await r.network.settle()
    expect(backend.over).toBeDefined()
    expect(r.records[0]).toMatchObject({ reason: 'client-aborted', endedBy: 'client', status: 0 })
    expect(r.edge.stats()).toMatchObject({ exchanges: 0, connections: 0 })
  })

  it('answers HEAD, 204 and 304 without a body', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, 'HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n')
    const backend = await r.accept()
    await r.say(backend, 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n')
    await r.say(client, get('/2'))
    await r.say(backend, 'HTTP/1.1 204 No Content\r\n\r\n')
    await r.say(client, get('/3'))
    await r.say(backend, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n')
    expect(text(client)).toBe(
      'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n',
    )
    expect(r.network.asked).toHaveLength(1)
  })

  it('passes 103 on, and trailers to those who take them', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, get('/', 'TE: trailers'))
    const backend = await r.accept()
    await r.say(backend, 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
    expect(text(client)).toBe('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
    await r.say(
      backend,
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n',
    )
    expect(text(client)).toMatch(/2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n$/)
  })

  it('asks for a body with 100 Continue once a member is there', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(
      client,
      'POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
    )
    expect(text(client)).toBe('')
    const backend = await r.accept()
    expect(text(client)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    await r.say(client, 'ok')
    expect(text(backend)).not.toContain('Expect')
    expect(text(backend)).toMatch(/\r\n\r\nok$/)
  })

  it('answers early, and ends the connection whose request it will not read', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(
      client,
      'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nbegin',
    )
    const backend = await r.accept()
    await r.say(backend, 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
    expect(text(client)).toBe(
      'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno',
    )
    expect(client.ended).toBe(true)
    expect(backend.over).toBeDefined()
  })

  it('goes to the next member when one cannot be reached, and says so when none can', async () => {
    await using r = await rig({ backends: ['10.1.0.1:80', '10.1.0.2:80'] })
    const client = r.client()
    await r.say(client, get('/1'))
    await r.refuse()
    const backend = await r.accept()
    await r.say(backend, ok('fine'))
    expect(text(client)).toContain('fine')
    expect(r.records[0]).toMatchObject({ attempts: 2, status: 200 })
    const other = r.client()
    await r.say(other, 'POST /2 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx')
    await r.refuse()
    await r.refuse()
    expect(text(other)).toMatch(/^HTTP\/1.1 502 /)
    expect(text(other)).toMatch(/\r\nproxy-status: edge; error=connection_refused/)
  })

  it('sends a request again whose reused connection was closed at the same moment', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, get('/1'))
    const first = await r.accept()
    await r.say(first, ok('one'))
    client.send(Buffer.from(get('/2')))
    first.end()
    await r.network.settle()
    const second = await r.accept()
    expect(text(second)).toContain('GET /2')
    await r.say(second, ok('two'))
    expect(text(client)).toMatch(/one[^]*two$/)
    expect(r.records[1]).toMatchObject({ status: 200 })
  })

  it('does not send a POST again that may have arrived', async () => {
    await using r = await rig({ backends: ['10.1.0.1:80', '10.1.0.2:80'] })
    const client = r.client()
    await r.say(client, 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx')
    const backend = await r.accept()
    backend.reset()
    await r.network.settle()
    expect(text(client)).toMatch(/^HTTP\/1.1 502 /)
    expect(r.network.asked).toHaveLength(1)
  })

  it('holds a client to its timeouts', async () => {
    await using r = await rig({
      timeouts: { head: '1s', body: '1s', firstByte: '2s', keepAlive: '3s', idle: '2s' },
    })
    const slow = r.client()
    await r.say(slow, 'GET / HT')
    await r.pass(1100)
    expect(text(slow)).toMatch(/^HTTP\/1.1 408 /)
    expect(slow.ended).toBe(true)

    const half = r.client()
    await r.say(half, 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nx')
    const backend = await r.accept()
    await r.pass(2200)
    expect(text(half)).toMatch(/^HTTP\/1.1 408 /)
    expect(backend.over).toBeDefined()

    const waiting = r.client()
    await r.say(waiting, get('/never'))
    const silent = await r.accept()
    await r.pass(2100)
    expect(text(waiting)).toMatch(/^HTTP\/1.1 504 /)
    expect(silent.over).toBeDefined()
    await r.pass(3100)
    expect(waiting.ended).toBe(true)
  })

  it('waits for a slow reader, and loses nothing', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, get('/big'))
    const backend = await r.accept()
    client.slow = true
    backend.send(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n'))
    for (let i = 0; i < 100; i++) backend.send(Buffer.alloc(1000, i))
    await r.network.settle()
    expect(client.received).toHaveLength(0)
    client.slow = false
    await r.network.settle()
    expect(client.received.length).toBe(
      100_000 + 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n'.length,
    )
  })

  it('drains: answers what is under way with Connection: close, then ends', async () => {
    await using r = await rig()
    const idle = r.client()
    await r.say(idle, get('/1'))
    const backend = await r.accept()
    await r.say(backend, ok('one'))
    const busy = r.client()
    await r.say(busy, get('/2'))
    const stopped = r.edge.stop({ drain: '5s' })
    await r.network.settle()
    expect(idle.ended).toBe(false)
    await r.pass(600)
    expect(idle.ended).toBe(true)
    expect(busy.ended).toBe(false)
    idle.end()
    await r.say(backend, ok('two'))
    expect(text(busy)).toBe('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\ntwo')
    busy.end()
    await r.network.settle()
    await stopped
    expect(r.network.open).toBe(0)
  })

  it('tunnels after 101 only, with what came early', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(
      client,
      get(
        '/ws',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ) + 'early',
    )
    const backend = await r.accept()
    expect(text(backend)).toMatch(/Upgrade: websocket/i)
    expect(text(backend)).not.toContain('early')
    await r.say(
      backend,
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello',
    )
    expect(text(client)).toMatch(/^HTTP\/1.1 101 [^]*Upgrade: websocket[^]*\r\n\r\nhello$/i)
    expect(text(backend)).toMatch(/\r\n\r\nearly$/)
    await r.say(client, 'to')
    await r.say(backend, 'fro')
    expect(text(backend)).toMatch(/earlyto$/)
    expect(text(client)).toMatch(/hellofro$/)
    expect(r.edge.stats().exchanges).toBe(1)
    client.end()
    await r.network.settle()
    expect(backend.ended).toBe(true)
    backend.end()
    await r.network.settle()
    expect(r.records[0]).toMatchObject({ status: 101, reason: 'done', bytesIn: 7, bytesOut: 8 })
    expect(r.edge.stats()).toMatchObject({ exchanges: 0, connections: 0 })
  })

  it('ends the connection of an upgrade that got another answer, whatever came behind it', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(
      client,
      get(
        '/ws',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ) + get('/hidden'),
    )
    const backend = await r.accept()
    await r.say(backend, ok('plain'))
    expect(text(client)).toMatch(/Connection: close\r\n\r\nplain$/)
    expect(text(backend)).not.toContain('/hidden')
    expect(client.ended).toBe(true)
  })

  it('refuses a 101 without proof', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(
      client,
      get(
        '/ws',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ),
    )
    const backend = await r.accept()
    await r.say(
      backend,
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: nonsense\r\n\r\n',
    )
    expect(text(client)).toMatch(/^HTTP\/1.1 502 /)
    expect(backend.over).toBeDefined()
  })
})

/** A message with its chunks joined. */
function unchunked(message: string): string {
  const [head = '', ...rest] = message.split('\r\n\r\n')
  const body = rest.join('\r\n\r\n')
  if (!/transfer-encoding: chunked/i.test(head)) return message
  let at = 0
  let joined = ''
  for (;;) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.slice(at, end), 16)
    if (!(size > 0)) return `${head}\r\n\r\n${joined}`
    joined += body.slice(end + 2, end + 2 + size)
    at = end + 2 + size + 2
  }
}
