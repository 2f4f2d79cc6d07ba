import { describe, expect, it } from 'vitest'
import {
  always,
  type Exchange,
  type HttpFilter,
  httpBalancer,
  respond,
  route,
} from '../../src/index.ts'
import { bytes, get, ok, rig, text } from './rig.ts'

function gate(): { readonly wait: Promise<void>; open(): void; break(error: Error): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  return { wait: promise, open: resolve, break: reject }
}

describe('filters', () => {
  it('run from the outside in, and from the inside out', async () => {
    const order: string[] = []
    const filter = (name: string): HttpFilter => ({
      name,
      request: () => void order.push(`${name} request`),
      upstreamHead: () => void order.push(`${name} upstream`),
      responseHead: () => void order.push(`${name} response`),
      done: () => void order.push(`${name} done`),
    })
    await using r = await rig({ use: [filter('a')], forward: { use: [filter('b')] } })
    const client = r.client()
    await r.say(client, get())
    const backend = await r.accept()
    await r.say(backend, ok('x'))
    expect(order).toEqual([
      'a request',
      'b request',
      'a upstream',
      'b upstream',
      'b response',
      'a response',
      'a done',
      'b done',
    ])
  })

  it('are told that it is done only when it came to them', async () => {
    const done: string[] = []
    const filter = (name: string, stops: boolean): HttpFilter => ({
      name,
      request: () => (stops ? { status: 403 } : undefined),
      done: () => void done.push(name),
    })
    await using r = await rig({ use: [filter('a', false), filter('b', true), filter('c', false)] })
    await r.say(r.client(), get())
    expect(done).toEqual(['a', 'b'])
  })

  it('may think before the request goes on; a client that leaves meanwhile ends it', async () => {
    const gates = [gate(), gate()]
    let asked = 0
    await using r = await rig({ use: [{ name: 'slow', request: () => gates[asked++]!.wait }] })
    const client = r.client()
    await r.say(client, get('/1'))
    expect(r.network.calls).toHaveLength(0)
    gates[0]!.open()
    await r.network.settle()
    await r.say(await r.accept(), ok('one'))
    expect(text(client)).toMatch(/one$/)
    await r.say(client, get('/2'))
    client.reset()
    await r.network.settle()
    gates[1]!.open()
    await r.network.settle()
    expect(r.records.map(({ reason }) => reason)).toEqual(['done', 'client-aborted'])
    expect(r.network.calls).toHaveLength(0)
  })

  it('may think about the head that goes to a member, and is not asked any more when it is too late', async () => {
    const gates = [gate(), gate()]
    let asked = 0
    await using r = await rig({
      use: [
        {
          name: 'slow',
          async upstreamHead(head) {
            await gates[asked++]!.wait
            head.set('x-late', 'yes')
          },
        },
      ],
    })
    const client = r.client()
    await r.say(client, get('/1'))
    gates[0]!.open()
    await r.network.settle()
    const backend = await r.accept()
    expect(text(backend)).toContain('x-late: yes')
    await r.say(backend, ok('one'))
    await r.say(client, get('/2'))
    r.edge.cut()
    gates[1]!.break(new Error('too late'))
    await r.network.settle()
    expect(r.records[1]).toMatchObject({ reason: 'shutdown', status: 0 })
    expect(text(backend)).not.toContain('/2')
  })

  it('may think about a response, and change it afterwards; what comes meanwhile waits', async () => {
    const { wait, open } = gate()
    await using r = await rig({
      use: [
        { name: 'outer', responseHead: (head) => head.set('x-seen', head.get('x-late') ?? 'no') },
        {
          name: 'inner',
          async responseHead(head) {
            await wait
            head.set('x-late', 'yes')
            head.status = 201
          },
        },
      ],
    })
    const client = r.client()
    await r.say(client, get())
    const backend = await r.accept()
    await r.say(backend, ok('hello'))
    expect(text(client)).toBe('')
    open()
    await r.network.settle()
    expect(text(client)).toBe(
      'HTTP/1.1 201 Created\r\nx-late: yes\r\nx-seen: yes\r\nContent-Length: 5\r\n\r\nhello',
    )
    expect(r.records[0]).toMatchObject({ status: 201, reason: 'done', backendStatus: 200 })
  })

  it.each([204, 304])(
    'may turn a response with a body into %d, and the next one is in its place',
    async (status) => {
      await using r = await rig({
        use: [
          {
            name: 'changes',
            responseHead(head, x) {
              if (x.request.path === '/1') head.status = status
              else if (head.status === 204) head.status = 200
            },
          },
        ],
      })
      const client = r.client()
      await r.say(client, get('/1'))
      const backend = await r.accept()
      await r.say(
        backend,
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      )
      await r.say(client, get('/2'))
      await r.say(backend, 'HTTP/1.1 204 No Content\r\n\r\n')
      await r.say(client, get('/3'))
      await r.say(backend, ok('three'))
      expect(text(client)).toMatch(
        new RegExp(
          `^HTTP/1.1 ${status} [^\r]*\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthree$`,
        ),
      )
      expect(r.records[0]).toMatchObject({ status, bytesOut: 0 })
    },
  )

  it('may turn our own answer into 204', async () => {
    await using r = await rig({
      routes: [route(always, respond(403, { body: 'no' }))],
      use: [{ name: 'hides', responseHead: (head) => void (head.status = 204) }],
    })
    const client = r.client()
    await r.say(client, get('/1') + get('/2'))
    expect(text(client)).toMatch(/^(HTTP\/1.1 204 No Content\r\n(?:[^\r]+\r\n)*\r\n){2}$/)
  })

  it.each([
    ['request', { request: fail }],
    ['upstreamHead', { upstreamHead: fail }],
    ['an async upstreamHead', { upstreamHead: failLater }],
    ['responseHead', { responseHead: fail }],
    ['an async responseHead', { responseHead: failLater }],
    ['requestBody', { requestBody: fail }],
    ['responseBody', { responseBody: fail }],
    ['gather', { gather: fail }],
    ['prefer', { prefer: fail }],
    ['attempt', { attempt: fail }],
  ] as const)('that throw in %s end it with 500', async (_, hooks) => {
    await using r = await rig({ use: [{ name: 'bad', ...(hooks as Partial<HttpFilter>) }] })
    const client = r.client()
    await r.say(client, 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx')
    if (r.network.calls.length > 0) await r.say(await r.accept(), ok('fine'))
    expect(text(client)).toMatch(/^HTTP\/1.1 500 /)
    expect(text(client)).not.toContain('fine')
    expect(r.records).toHaveLength(1)
    expect(r.records[0]).toMatchObject({ status: 500, reason: 'hook-failed' })
  })

  it.each([
    ['a status that is none', { status: 99 }, 500],
    ['a body of another kind', { status: 200, body: 7 }, 200],
    ['a field that may not stand there', { status: 200, headers: { 'Content-Length': '9' } }, 200],
    ['a time that is none', { status: 200, after: 'soon' }, 500],
  ])('that answer with %s do no harm', async (_, reply, status) => {
    await using r = await rig({ use: [{ name: 'odd', request: () => reply as never }] })
    const client = r.client()
    await r.say(client, get())
    expect(text(client)).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*Content-Length: \\d+\r\n`))
    expect(r.records).toHaveLength(1)
  })

  it('cannot reach into the next request or response by a head they kept', async () => {
    const kept: { set(name: string, value: string): void }[] = []
    await using r = await rig({
      use: [
        {
          name: 'keeps',
          upstreamHead(head) {
            for (const other of kept) other.set('x-evil', 'request')
            kept.push(head)
          },
          responseHead(head) {
            for (const other of kept) other.set('x-evil', 'response')
            kept.push(head)
          },
        },
      ],
    })
    const client = r.client()
    await r.say(client, get('/1'))
    const backend = await r.accept()
    for (let i = 0; i < 3; i++) {
      await r.say(backend, ok('x'))
      await r.say(client, get('/more'))
    }
    expect(text(backend) + text(client)).not.toContain('x-evil')
  })
})

function fail(): never {
  throw new Error('made up')
}

async function failLater(): Promise<void> {
  await Promise.resolve()
  throw new Error('made up')
}

describe('answers of our own', () => {
  it('wait in a tarpit, and a client that leaves is let go of', async () => {
    await using r = await rig({
      use: [{ name: 'pit', request: () => ({ status: 429, after: '2s', reason: 'slow-down' }) }],
    })
    const client = r.client()
    const other = r.client()
    await r.say(client, get())
    await r.say(other, get())
    await r.pass(1500)
    expect(text(client)).toBe('')
    other.end()
    await r.pass(600)
    expect(text(client)).toMatch(/^HTTP\/1.1 429 /)
    expect(r.records.map(({ reason }) => reason)).toEqual(['client-aborted', 'slow-down'])
  })

  it('may be none: the connection is reset', async () => {
    await using r = await rig({ use: [{ name: 'drops', request: () => ({ drop: true }) }] })
    const client = r.client()
    await r.say(client, get())
    expect([client.over, text(client)]).toEqual(['reset', ''])
    expect(r.records[0]).toMatchObject({ reason: 'dropped', status: 0, endedBy: 'balancer' })
  })

  it('have pages for errors, and say who failed and why', async () => {
    await using r = await rig({
      forward: { retries: 0 },
      proxyStatus: 'front',
      errorPages: {
        pageFor: (status: number, x: Exchange) =>
          status === 502
            ? { status: 500, body: `<b>${x.request.path}</b>`, contentType: 'text/html' }
            : undefined,
      },
    })
    const client = r.client()
    await r.say(client, get('/lost'))
    await r.refuse()
    expect(text(client)).toMatch(/^HTTP\/1.1 500 [^]*content-type: text\/html[^]*<b>\/lost<\/b>$/)
    expect(text(client)).toMatch(/proxy-status: front; error=connection_refused/)
  })

  it('say what a filter says instead', async () => {
    await using r = await rig({
      forward: { retries: 0 },
      use: [{ name: 'sorry', failed: (error) => ({ status: 500, body: `sorry: ${error.code}` }) }],
    })
    const client = r.client()
    await r.say(client, get())
    await r.refuse()
    expect(text(client)).toMatch(/sorry: connect-failed$/)
    expect(r.records[0]).toMatchObject({ status: 500, reason: 'connect-failed' })
  })

  it('are recorded for a body that is malformed', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(
      client,
      'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n',
    )
    await r.accept()
    expect(text(client)).toMatch(/^HTTP\/1.1 400 /)
    expect(r.records[0]).toMatchObject({ status: 400, reason: 'bad-request', endedBy: 'client' })
    expect(r.edge.stats().statuses).toMatchObject({ '4xx': 1, none: 0 })
  })

  it('are not lost to garbage behind them', async () => {
    await using r = await rig({ routes: [route(always, respond(403, { body: 'no' }))] })
    const client = r.client()
    await r.say(client, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    client.slow = true
    await r.say(client, 'ZZ\r\n')
    client.slow = false
    await r.network.settle()
    expect(text(client)).toMatch(/^HTTP\/1.1 403 [^]*no$/)
    expect(client.ended).toBe(true)
  })
})

describe('requests that come by no socket', () => {
  it('take the whole way, bodies and errors included', async () => {
    await using r = await rig({
      use: [{ name: 'n', request: (x) => (x.request.path === '/no' ? { drop: true } : undefined) }],
    })
    const answer = r.edge.inject({ method: 'POST', url: '/x', body: 'hello' })
    await r.network.settle()
    const backend = await r.accept()
    expect(text(backend)).toMatch(/\r\n\r\nhello$/)
    await r.say(backend, ok('there', 'X-A: 1'))
    const { status, header, text: body } = await answer
    expect([status, header('x-a'), body()]).toEqual([200, '1', 'there'])
    const head = r.edge.inject({ method: 'HEAD', url: '/x' })
    await r.network.settle()
    await r.say(backend, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
    expect((await head).body).toHaveLength(0)
    await expect(r.edge.inject('/no')).rejects.toMatchObject({ code: 'dropped' })
    await expect(r.edge.inject({ url: '/x', signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'client-aborted',
    })
    expect(r.edge.stats().exchanges).toBe(0)
  })

  it('end with the balancer', async () => {
    await using r = await rig()
    const answer = r.edge.inject('/x')
    const refused = answer.then(
      () => undefined,
      (error: unknown) => error,
    )
    await r.network.settle()
    r.edge.cut()
    expect(await refused).toMatchObject({ code: 'shutdown' })
  })
})

it('refuses wrong options before anything is opened', () => {
  expect(() => httpBalancer({ listen: ':0', routes: [], limits: { lines: -1 } })).toThrow(
    expect.objectContaining({ code: 'invalid-option', path: 'limits.lines' }),
  )
  expect(bytes('é')).toHaveLength(1)
})
