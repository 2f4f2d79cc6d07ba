import { describe, expect, it } from 'vitest'
import type { BodySink, BodyTransform } from '../../src/exchange/body-transform.ts'
import { get, ok, rig, text } from './rig.ts'

/** Upper case; with `steps` each piece waits until it is let go. */
class Upper implements BodyTransform {
  readonly #sink: BodySink
  readonly #steps: (() => void)[] | undefined
  readonly #patient: boolean
  readonly log: string[]

  constructor(sink: BodySink, log: string[], steps?: (() => void)[], patient = false) {
    this.#sink = sink
    this.#steps = steps
    this.#patient = patient
    this.log = log
  }

  write(bytes: Uint8Array): boolean {
    const upper = Buffer.from(Buffer.from(bytes).toString('latin1').toUpperCase())
    if (this.#steps === undefined) {
      const more = this.#sink.data(upper)
      this.log.push(`write ${more}`)
      return more
    }
    this.#steps.push(() => {
      this.#sink.data(upper)
      if (!this.#patient) this.#sink.ready()
    })
    return this.#patient
  }

  end(): void {
    if (this.#steps === undefined) this.#sink.end()
    else this.#steps.push(() => this.#sink.end())
  }

  drained(): void {
    this.log.push('drained')
    this.#sink.ready()
  }

  destroy(): void {
    this.log.push('destroy')
  }
}

const post = (length: number | 'chunked', body = '', ...lines: string[]): string =>
  [
    'POST / HTTP/1.1',
    'Host: a.example',
    ...lines,
    length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`,
    '',
    body,
  ].join('\r\n')

describe('transforms', () => {
  it('change a request on its way, later too, and then the member has its time', async () => {
    const steps: (() => void)[] = []
    await using r = await rig({
      timeouts: { firstByte: '1s', body: '5s' },
      use: [{ name: 'upper', requestBody: () => (sink) => new Upper(sink, [], steps) }],
    })
    const client = r.client()
    await r.say(client, post(5, 'hello'))
    const backend = await r.accept()
    expect(text(backend)).toMatch(/Transfer-Encoding: chunked\r\n\r\n$/)
    while (steps.length > 0) steps.shift()!()
    await r.network.settle()
    expect(text(backend)).toMatch(/5\r\nHELLO\r\n0\r\n\r\n$/)
    await r.pass(1100)
    expect(text(client)).toMatch(/^HTTP\/1.1 504 /)
  })

  it('change a response on its way, and another connection may answer in between', async () => {
    const steps: (() => void)[] = []
    let slow = true
    await using r = await rig({
      use: [
        {
          name: 'upper',
          responseBody: () => (sink) => new Upper(sink, [], slow ? steps : undefined, true),
        },
      ],
    })
    const one = r.client()
    await r.say(one, get('/1'))
    const backend = await r.accept()
    await r.say(backend, ok('one'))
    slow = false
    const two = r.client()
    await r.say(two, get('/2'))
    // Its connection serves again already; the first response is not at its end.
    await r.say(backend, ok('two'))
    expect(text(two)).toMatch(
      /^HTTP\/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nTWO\r\n0\r\n\r\n$/,
    )
    while (steps.length > 0) steps.shift()!()
    await r.network.settle()
    expect(text(one)).toMatch(
      /^HTTP\/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nONE\r\n0\r\n\r\n$/,
    )
  })

  it('slow the member down when the client is slow', async () => {
    const log: string[] = []
    await using r = await rig({
      use: [{ name: 'upper', responseBody: () => (sink) => new Upper(sink, log) }],
    })
    const client = r.client()
    await r.say(client, get())
    const backend = await r.accept()
    client.slow = true
    await r.say(backend, 'HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n')
    for (let i = 0; i < 20; i++) backend.send(Buffer.alloc(1000, 97))
    await r.network.settle()
    expect(log.filter((word) => word !== 'write true')).toEqual(['write false'])
    client.slow = false
    await r.network.settle()
    expect(log).toContain('drained')
    expect(text(client).match(/A/g)).toHaveLength(20_000)
    expect(r.records[0]).toMatchObject({ reason: 'done', bytesOut: 20_000 })
  })

  it('that throw are the end, and a response that was begun is cut', async () => {
    await using r = await rig({
      use: [
        {
          name: 'breaks',
          responseBody: () => (sink) => ({
            write: (bytes) => {
              if (bytes[0] === 120) throw new Error('made up')
              return sink.data(bytes)
            },
            end: () => sink.end(),
            drained: () => sink.ready(),
            destroy: () => {
              throw new Error('made up too')
            },
          }),
        },
      ],
    })
    const client = r.client()
    await r.say(client, get())
    const backend = await r.accept()
    await r.say(backend, 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
    await r.say(backend, 'xyz')
    expect(client.over).toBe('reset')
    expect(r.records[0]).toMatchObject({ reason: 'hook-failed', status: 200 })
    expect(r.edge.stats()).toMatchObject({ exchanges: 0 })
  })

  it.each([
    ['more', 'ab', 'X'],
    ['less', '', ''],
  ])(
    'that promise to change nothing and give %s cannot desynchronize the client',
    async (_, keep, add) => {
      await using r = await rig({
        use: [
          {
            name: 'liar',
            responseBody: () =>
              Object.assign(
                (sink: BodySink): BodyTransform => ({
                  write: () => (keep === '' ? true : sink.data(Buffer.from(keep + add))),
                  end: () => sink.end(),
                  drained: () => sink.ready(),
                  destroy: () => {},
                }),
                { unchanged: true },
              ),
          },
        ],
      })
      const client = r.client()
      await r.say(client, get())
      await r.say(await r.accept(), ok('ab'))
      expect(client.over).toBe('reset')
      expect(r.records[0]).toMatchObject({ reason: 'hook-failed' })
    },
  )

  it('of a gathered body go on when a member is there, and again with the next one', async () => {
    await using r = await rig({
      backends: ['10.1.0.1:80', '10.1.0.2:80'],
      use: [
        { name: 'gathers', gather: () => 100 },
        { name: 'upper', requestBody: () => (sink) => new Upper(sink, []) },
      ],
    })
    const client = r.client()
    await r.say(client, post(5, 'hel').replace('POST', 'PUT'))
    expect(r.network.calls).toHaveLength(0)
    await r.say(client, 'lo')
    await r.refuse()
    const backend = await r.accept()
    expect(text(backend)).toMatch(/5\r\nHELLO\r\n0\r\n\r\n$|3\r\nHEL\r\n2\r\nLO\r\n0\r\n\r\n$/)
    await r.say(backend, ok('fine'))
    expect(text(client)).toMatch(/fine$/)
  })
})

describe('limits of a body', () => {
  it.each([
    ['by its length, at once', post(11, 'hello world'), 0],
    ['as it comes', post('chunked', '6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n'), 1],
  ])('are kept %s', async (_, sent, calls) => {
    await using r = await rig({ forward: { maxBody: 10 } })
    const client = r.client()
    await r.say(client, sent)
    expect(r.network.asked).toHaveLength(calls)
    if (calls > 0) expect((await r.accept()).over ?? text(client)).toMatch(/413|reset|closed/)
    await r.network.settle()
    expect(text(client)).toMatch(/^HTTP\/1.1 413 [^]*Connection: close/)
    expect(r.records[0]).toMatchObject({ reason: 'body-too-large', endedBy: 'client' })
  })

  it('hold off a client that sends a byte now and then', async () => {
    await using r = await rig({ timeouts: { body: '2s', bodyRate: 100 } })
    const client = r.client()
    await r.say(client, post(1000, 'x'))
    const backend = await r.accept()
    for (let i = 0; i < 6 && text(client) === ''; i++) {
      await r.pass(500)
      await r.say(client, 'x')
    }
    expect(text(client)).toMatch(/^HTTP\/1.1 408 /)
    expect(r.records[0]).toMatchObject({ reason: 'body-timeout', endedBy: 'client' })
    expect(backend.over).toBeDefined()
  })

  it('do not blame a client for a member that takes nothing', async () => {
    await using r = await rig({ timeouts: { body: '2s', bodyRate: 1000, firstByte: '60s' } })
    const client = r.client()
    await r.say(client, post(30_000, 'x'.repeat(5000)))
    const backend = await r.accept()
    backend.slow = true
    await r.say(client, 'x'.repeat(5000))
    await r.say(client, 'x'.repeat(5000))
    // Almost the limit, and again: it moves now and then, and seldom enough to be below the rate.
    for (let i = 0; i < 3; i++) {
      await r.pass(1900)
      backend.slow = false
      await r.network.settle()
      backend.slow = true
      await r.say(client, 'x'.repeat(5000))
    }
    backend.slow = false
    await r.network.settle()
    expect(text(client)).toBe('')
    expect(text(backend).match(/x/g)).toHaveLength(30_001)
    await r.say(backend, ok('thanks'))
    expect(text(client)).toMatch(/thanks$/)
  })

  it('end it when the member takes nothing at all', async () => {
    await using r = await rig({ timeouts: { body: '1s' } })
    const client = r.client()
    await r.say(client, post(30_000, 'x'.repeat(5000)))
    const backend = await r.accept()
    backend.slow = true
    await r.say(client, 'x'.repeat(5000))
    await r.say(client, 'x'.repeat(5000))
    await r.pass(2200)
    expect(text(client)).toMatch(/^HTTP\/1.1 504 /)
    expect(r.records[0]).toMatchObject({ reason: 'idle-timeout', endedBy: 'balancer' })
  })

  it('do not run while the client waits for the member to ask for the body', async () => {
    await using r = await rig({
      continueBy: 'backend',
      timeouts: { body: '1s', firstByte: '5s' },
    })
    const client = r.client()
    await r.say(client, post(2, '', 'Expect: 100-continue'))
    const backend = await r.accept()
    expect(text(backend)).toMatch(/Expect: 100-continue/)
    await r.pass(3000)
    expect(text(client)).toBe('')
    await r.say(backend, 'HTTP/1.1 100 Continue\r\n\r\n')
    expect(text(client)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    await r.pass(900)
    await r.say(client, 'ok')
    await r.say(backend, ok('done'))
    expect(text(client)).toMatch(/done$/)
  })

  it('let a long upload go on that is answered early', async () => {
    await using r = await rig({ timeouts: { idle: '1s' } })
    const client = r.client()
    await r.say(client, post('chunked'))
    const backend = await r.accept()
    await r.say(backend, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let i = 0; i < 5; i++) {
      await r.pass(700)
      await r.say(client, '1\r\nx\r\n')
    }
    expect(r.records).toHaveLength(0)
    await r.pass(1100)
    expect(r.records[0]).toMatchObject({ reason: 'idle-timeout' })
  })
})

it('hears that a client goes away whose body was held back last', async () => {
  await using r = await rig()
  const client = r.client()
  await r.say(client, post(9000, 'x'.repeat(8000)))
  const backend = await r.accept()
  backend.slow = true
  await r.say(client, 'x'.repeat(1000))
  await r.network.settle()
  client.reset()
  await r.network.settle()
  expect(r.records[0]).toMatchObject({ reason: 'client-aborted' })
})
