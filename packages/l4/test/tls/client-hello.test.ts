import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls'
import { DecodeError } from '@steelyard/core/bytes'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ClientHello } from '../../src/tls/client-hello.ts'
import { type ClientHelloResult, clientHelloReader } from '../../src/tls/client-hello-reader.ts'
import { normalServerName } from '../../src/tls/server-name.ts'
import { alpn, hello, helloBody, message, records, serverName, text, u16 } from './hello-builder.ts'

function read(bytes: Uint8Array, maxBytes?: number): ClientHello {
  const result = clientHelloReader(maxBytes === undefined ? {} : { maxBytes }).push(bytes)
  if (result?.kind !== 'hello') throw new Error(`gave ${result?.kind ?? 'nothing yet'}`)
  return result.hello
}

/** The result as data, so that two ways to the same bytes can be compared. */
function outcome(run: () => ClientHelloResult | undefined): unknown {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    expect(error.source).toBe('client')
    return { offset: error.offset, field: error.field, message: error.message }
  }
}

/** What Node's own TLS client sends first. */
async function captured(options: ConnectionOptions): Promise<Uint8Array> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const client = tlsConnect({
    ...options,
    socket: connect(port, '127.0.0.1'),
    rejectUnauthorized: false,
  })
  client.on('error', () => {})
  const [socket] = await accepted
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  server.close()
  return bytes
}

describe("Node's own ClientHellos", () => {
  it('gives name, protocols and versions', async () => {
    const bytes = await captured({
      servername: 'WWW.Example.COM',
      ALPNProtocols: ['h2', 'http/1.1'],
      minVersion: 'TLSv1.2',
    })
    expect(read(bytes)).toEqual({
      versions: [0x0304, 0x0303],
      serverName: 'www.example.com',
      serverNameProblem: undefined,
      alpn: ['h2', 'http/1.1'],
      encrypted: false,
    })
  })

  it('does without name and protocols, and knows TLS 1.2 alone', async () => {
    const bytes = await captured({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })
    expect(read(bytes)).toMatchObject({ versions: [0x0303], serverName: undefined, alpn: [] })
  })

  it('knows TLS 1.3 alone, with many key shares', async () => {
    const bytes = await captured({
      minVersion: 'TLSv1.3',
      servername: 'a.test',
      ecdhCurve: 'X25519:P-256:P-384:P-521',
    })
    expect(read(bytes)).toMatchObject({ versions: [0x0304], serverName: 'a.test' })
  })

  it('waits at each cut, and the rest completes it', async () => {
    const bytes = await captured({ servername: 'cut.example', ALPNProtocols: ['h2'] })
    const whole = outcome(() => clientHelloReader().push(bytes))
    for (let cut = 0; cut < bytes.length; cut++) {
      const reader = clientHelloReader()
      expect(reader.push(bytes.subarray(0, cut))).toBeUndefined()
      expect(reader.push(bytes.subarray(cut))).toEqual(whole)
      expect(reader.bytes).toEqual(new Uint8Array(bytes))
    }
  })

  it('reads it from records of any size', async () => {
    const bytes = await captured({ servername: 'fragments.example', ALPNProtocols: ['h2'] })
    const whole = read(bytes)
    for (const size of [1, 2, 3, 4, 5, 7, 16, 100, 300]) {
      expect(read(records(bytes.subarray(5), size))).toEqual(whole)
    }
  })
})

describe('hand-made ClientHellos', () => {
  it('takes one without extensions, as old clients send', () => {
    expect(read(hello({ version: 0x0301 }))).toEqual({
      versions: [0x0301],
      serverName: undefined,
      serverNameProblem: undefined,
      alpn: [],
      encrypted: false,
    })
  })

  it('drops GREASE versions and keeps unknown extensions and protocols', () => {
    const parts = {
      extensions: [
        [0x3a3a, new Uint8Array(0)],
        [43, Uint8Array.of(6, 0x7a, 0x7a, 3, 4, 3, 3)],
        alpn('\x0a\x0a', 'h2', '\xff'),
        [0xfafa, Uint8Array.of(0)],
      ] as const,
    }
    expect(read(hello(parts))).toMatchObject({
      versions: [0x0304, 0x0303],
      alpn: ['\n\n', 'h2', '\xff'],
    })
  })

  it('says that Encrypted Client Hello is there, and gives the outer name', () => {
    const ech = [0xfe0d, Uint8Array.of(0, ...new Uint8Array(40))] as const
    expect(read(hello({ extensions: [serverName('public.example'), ech] }))).toMatchObject({
      encrypted: true,
      serverName: 'public.example',
    })
  })

  it('passes over names of types that were never defined', () => {
    const parts = { extensions: [serverName([1, 'x'], 'a.example', [255, ''])] }
    expect(read(hello(parts)).serverName).toBe('a.example')
  })

  it('keeps what follows the hello for whoever goes on', () => {
    const reader = clientHelloReader()
    const bytes = Uint8Array.of(...hello({}), 0x14, 3, 3, 0, 1, 1)
    expect(reader.push(bytes)?.kind).toBe('hello')
    expect(reader.bytes).toEqual(bytes)
  })

  it('copies what it was lent', () => {
    const bytes = hello({ extensions: [serverName('a.example')] })
    const reader = clientHelloReader()
    const first = bytes.slice(0, 30)
    reader.push(first)
    first.fill(0)
    expect(reader.push(bytes.subarray(30))).toMatchObject({ hello: { serverName: 'a.example' } })
  })

  for (const [name, bytes] of Object.entries({
    HTTP: text('GET / HTTP/1.1\r\n'),
    SSH: text('SSH-2.0-x\r\n'),
    'a PROXY header': text('PROXY UNKNOWN\r\n'),
    'an SSL 2 hello': [0x80, 0x2e, 0x01, 0x03, 0x01],
    'a TLS alert': [21, 3, 3, 0, 2, 2, 40],
    'another major version': [22, 2, 0, 0, 5],
    'a minor version of the far future': [22, 3, 9, 0, 5],
  })) {
    it(`takes ${name} for no TLS`, () => {
      expect(clientHelloReader().push(Uint8Array.from(bytes))).toEqual({ kind: 'not-tls' })
    })
  }

  const body = helloBody({ extensions: [serverName('a.example')] })
  const wrong: Record<string, Uint8Array> = {
    'an empty record': Uint8Array.of(22, 3, 1, 0, 0),
    'a record longer than 2^14': Uint8Array.of(22, 3, 1, 0x40, 1),
    'a ServerHello': records(message(body, 2)),
    'another record between its fragments': Uint8Array.of(
      ...records(message(body).subarray(0, 20)),
      ...[20, 3, 3, 0, 1, 1],
    ),
    'an empty message': records(message(new Uint8Array(0))),
    'a session id of 33 bytes': hello({ sessionId: new Uint8Array(33) }),
    'no cipher suites': hello({ ciphers: new Uint8Array(0) }),
    'half a cipher suite': hello({ ciphers: new Uint8Array(3) }),
    'no compression method': hello({ compression: new Uint8Array(0) }),
    'a body cut short': records(message(body.subarray(0, body.length - 1))),
    'bytes behind the extensions': records(message(Uint8Array.of(...body, 0))),
    'an extension twice': hello({ extensions: [serverName('a.example'), serverName('b.example')] }),
    'an unknown extension twice': hello({
      extensions: [
        [99, new Uint8Array(0)],
        [99, new Uint8Array(0)],
      ],
    }),
    'two host names': hello({ extensions: [serverName('a.example', 'b.example')] }),
    'an empty server_name extension': hello({ extensions: [[0, new Uint8Array(0)]] }),
    'an empty list of names': hello({ extensions: [[0, Uint8Array.of(0, 0)]] }),
    'a name list shorter than its extension': hello({
      extensions: [[0, Uint8Array.of(...serverName('a.example')[1], 0)]],
    }),
    'a name that runs over the end': hello({
      extensions: [[0, Uint8Array.of(...u16(4), 0, ...u16(9), 97)]],
    }),
    'an empty list of protocols': hello({ extensions: [[16, Uint8Array.of(0, 0)]] }),
    'an empty protocol': hello({ extensions: [alpn('h2', '')] }),
    'half a version': hello({ extensions: [[43, Uint8Array.of(3, 3, 4, 3)]] }),
    'no versions': hello({ extensions: [[43, Uint8Array.of(0)]] }),
  }
  for (const [name, bytes] of Object.entries(wrong)) {
    it(`refuses ${name}`, () => {
      expect(() => clientHelloReader().push(bytes)).toThrow(DecodeError)
    })
  }

  it('bounds its length, and accepts exactly the limit', () => {
    const padding = (length: number): Uint8Array =>
      hello({ extensions: [[21, new Uint8Array(length)]] })
    const limit = padding(2000)
    expect(read(limit, limit.length).versions).toEqual([0x0303])
    expect(() => read(limit, limit.length - 1)).toThrow('handshake length')
    expect(read(padding(16_000)).versions).toEqual([0x0303])
    expect(() => read(Uint8Array.of(22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff))).toThrow(DecodeError)
  })

  it('counts the record headers too, so that tiny fragments cannot grow without bound', () => {
    const fragments = records(message(helloBody({ extensions: [[21, new Uint8Array(1000)]] })), 1)
    const reader = clientHelloReader({ maxBytes: 2048 })
    let pushed = 0
    expect(() => {
      for (; pushed < fragments.length; pushed += 6) {
        reader.push(fragments.subarray(pushed, pushed + 6))
      }
    }).toThrow('longer than 2048')
    expect(pushed).toBeLessThanOrEqual(2048)
    expect(() => clientHelloReader({ maxBytes: 63 })).toThrow('maxBytes')
  })
})

describe('host names', () => {
  const normal = (name: string): unknown => {
    const { serverName, problem } = normalServerName(Uint8Array.from(text(name)))
    return serverName ?? problem
  }

  it('puts them into lower case without trailing dot', () => {
    expect(normal('Example.COM.')).toBe('example.com')
    expect(normal('xn--bcher-kva.example')).toBe('xn--bcher-kva.example')
    expect(normal('_service.a-b.9')).toBe('ip-address')
    expect(normal('_service.a-b.9x')).toBe('_service.a-b.9x')
    expect(normal('localhost')).toBe('localhost')
    expect(normal(`${'a'.repeat(63)}.x`)).toBe(`${'a'.repeat(63)}.x`)
  })

  it('flags what no rule should match', () => {
    for (const name of ['', '.']) expect(normal(name)).toBe('empty')
    for (const name of ['192.0.2.1', '192.0.2.1.', '::1', '2001:db8::1', '10']) {
      expect(normal(name)).toBe('ip-address')
    }
    for (const name of [
      'a.example\0.evil.example',
      'a b',
      'a..b',
      '.a',
      'a..',
      '[::1]',
      'bücher.example',
      '*.example.com',
      'a/b',
      `${'a'.repeat(64)}.x`,
      'a.'.repeat(127).concat('x'),
    ]) {
      expect(normal(name), name).toBe('not-a-host-name')
    }
  })

  it('tells in the hello why a name is missing', () => {
    expect(read(hello({ extensions: [serverName('127.0.0.1')] }))).toMatchObject({
      serverName: undefined,
      serverNameProblem: 'ip-address',
    })
  })
})

const anyHello = fc
  .record({
    names: fc.option(
      fc.string({ unit: fc.constantFrom(...'abz09-.\0'), minLength: 1, maxLength: 40 }),
    ),
    protocols: fc.array(
      fc.string({ unit: fc.constantFrom(...'h2/1.'), minLength: 1, maxLength: 9 }),
    ),
    session: fc.uint8Array({ maxLength: 32 }),
    noise: fc.uniqueArray(
      fc.tuple(fc.integer({ min: 100, max: 65_000 }), fc.uint8Array({ maxLength: 50 })),
      {
        selector: ([type]) => type,
        maxLength: 6,
      },
    ),
  })
  .map(({ names, protocols, session, noise }) => ({
    sessionId: session,
    extensions: [
      ...(names === null ? [] : [serverName(names)]),
      ...noise,
      ...(protocols.length === 0 ? [] : [alpn(...protocols)]),
    ],
    protocols,
  }))

describe('properties', () => {
  it('however it is cut into records and chunks, the result is the same', () => {
    fc.assert(
      fc.property(
        anyHello,
        fc.integer({ min: 1, max: 400 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 60 })),
        (parts, size, cuts) => {
          const bytes = records(message(helloBody(parts)), size)
          const whole = read(hello(parts))
          expect(whole.alpn).toEqual(parts.protocols)
          const reader = clientHelloReader()
          let result: ClientHelloResult | undefined
          for (let at = 0; at < bytes.length; ) {
            expect(result).toBeUndefined()
            const chunk = bytes.slice(at, at + (cuts.next().value as number))
            result = reader.push(chunk)
            chunk.fill(0xee)
            at += chunk.length
          }
          expect(result).toEqual({ kind: 'hello', hello: whole })
          expect(reader.bytes).toEqual(bytes)
        },
      ),
    )
  })

  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.uint8Array({ maxLength: 200 }).map((rest) => Uint8Array.of(22, 3, 1, ...rest)),
    fc.uint8Array({ minLength: 1, maxLength: 400 }).map((rest) => records(message(rest))),
    fc
      .tuple(anyHello, fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 4 }), fc.nat(500))
      .map(([parts, changes, cut]) => {
        const bytes = records(message(helloBody(parts)), 97)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        return bytes.subarray(0, cut === 0 ? bytes.length : bytes.length - (cut % bytes.length))
      }),
  )

  it('any bytes give a hello, no TLS, a wish for more, or a DecodeError, and the same byte by byte', () => {
    fc.assert(
      fc.property(anyBytes, fc.constantFrom(64, 300, 16_389), (bytes, maxBytes) => {
        const whole = outcome(() => clientHelloReader({ maxBytes }).push(bytes))
        const reader = clientHelloReader({ maxBytes })
        let stepwise: unknown
        for (let at = 0; at < bytes.length && stepwise === undefined; at++) {
          stepwise = outcome(() => reader.push(bytes.subarray(at, at + 1)))
        }
        expect(stepwise).toEqual(whole)
      }),
      { numRuns: 1000 },
    )
  })
})
