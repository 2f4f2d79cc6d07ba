import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { pool } from '@steelyard/core'
import {
  alpnTlv,
  authorityTlv,
  findTlv,
  type ProxyHeader,
  proxyFramer,
  readAlpn,
  readAuthority,
  readSsl,
  readUniqueId,
  TlvType,
  tlsContexts,
  uniqueIdTlv,
} from '@steelyard/l4'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Balancing, balancing } from './balancing.ts'
import { ask, bodyOf, get } from './client.ts'
import { type Folder, folder } from './folder.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { type Authority, authority } from './peers/authority.ts'
import { haproxy } from './peers/haproxy.ts'
import { nginx, streamLacking } from './peers/nginx.ts'
import { sClient } from './peers/s-client.ts'
import { said } from './run.ts'

/** What a backend of ours heard: the header that stood in front, and the bytes behind it. */
interface Heard {
  readonly header: ProxyHeader
  readonly body: string
}

interface HeaderReader extends AsyncDisposable {
  readonly address: string
  next(): Promise<Heard>
}

/** A backend that reads a PROXY header, answers `ok` and tells what it heard. */
async function headerReader(): Promise<HeaderReader> {
  const heard: Heard[] = []
  const waiting: ((heard: Heard) => void)[] = []
  const server: Server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
    const framer = proxyFramer()
    let header: ProxyHeader | undefined
    let body = ''
    socket.on('error', () => socket.destroy())
    socket.on('data', (bytes: Buffer) => {
      let rest: Uint8Array = new Uint8Array(bytes)
      if (header === undefined) {
        const frame = framer.push(rest)
        if (frame === undefined) return
        header = frame.header
        rest = rest.subarray(frame.consumed)
      }
      body += Buffer.from(rest).toString('latin1')
      if (!body.includes('\r\n\r\n')) return
      const news = { header, body }
      const waiter = waiting.shift()
      if (waiter === undefined) heard.push(news)
      else waiter(news)
      socket.end('HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async next() {
      return heard.shift() ?? new Promise<Heard>((resolve) => waiting.push(resolve))
    },
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

/** What a real server says of the connection that it believes to have, one `name=value` a line. */
function facts(answer: string): Record<string, string> {
  return Object.fromEntries(
    bodyOf(answer)
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => {
        const cut = line.indexOf('=')
        return [line.slice(0, cut), line.slice(cut + 1)]
      }),
  )
}

const families = [
  { family: 'IPv4', host: '127.0.0.1' },
  { family: 'IPv6', host: '::1' },
]

suiteWith('PROXY protocol to HAProxy', ['haproxy', 'openssl'], () => {
  let home: Folder
  let peer: AsyncDisposable
  let address = ''

  beforeAll(async () => {
    home = await folder()
    const host = ownAddress()
    const port = await freePort(host)
    address = at(host, port)
    peer = await haproxy(
      home,
      `frontend heard
  mode http
  bind ${address} accept-proxy
  http-request return status 200 content-type text/plain lf-string "src=%[src]\\nsrc_port=%[src_port]\\ndst=%[dst]\\ndst_port=%[dst_port]\\nauthority=%[fc_pp_authority]\\nunique_id=%[fc_pp_unique_id,hex]\\n"`,
    )
  })

  afterAll(async () => {
    await peer?.[Symbol.asyncDispose]()
    await home?.[Symbol.asyncDispose]()
  })

  for (const { family, host } of families) {
    it.each([
      ['v1', 'v1'],
      ['v2', 'v2'],
      ['v2 with a checksum', { version: 2, crc32c: true }],
    ] as const)(
      `%s over ${family} tells the client and what it connected to`,
      async (_, sendProxy) => {
        await using balanced = await balancing(
          { pool: pool({ backends: [address] }), sendProxy },
          host,
        )
        const { answer, from, port } = await ask({ host, port: balanced.port }, get('/'))
        expect(facts(answer)).toMatchObject({
          src: from,
          src_port: String(port),
          dst: host,
          dst_port: String(balanced.port),
        })
        expect(await balanced.record()).toMatchObject({ client: at(from, port), reason: 'closed' })
      },
    )
  }

  it('understands our TLVs among ones that it does not know', async () => {
    const uniqueId = Uint8Array.from({ length: 128 }, (_, index) => index)
    await using balanced = await balancing({
      pool: pool({ backends: [address] }),
      sendProxy: {
        version: 2,
        crc32c: true,
        tlvs: [
          { type: 0xe0, value: new Uint8Array(300).fill(7) },
          authorityTlv('shop.test'),
          alpnTlv('http/1.1'),
          uniqueIdTlv(uniqueId),
          { type: 0xef, value: new Uint8Array(0) },
        ],
      },
    })
    const { answer, port } = await ask({ host: '127.0.0.1', port: balanced.port }, get('/'))
    expect(facts(answer)).toMatchObject({
      src: '127.0.0.1',
      src_port: String(port),
      authority: 'shop.test',
      unique_id: Buffer.from(uniqueId).toString('hex').toUpperCase(),
    })
  })

  it('hears the name that the client of our TLS asked for', async () => {
    const trust = await authority(home)
    await using balanced = await balancing({
      pool: pool({ backends: [address] }),
      terminate: tlsContexts({ certificates: [await trust.issue('named', ['DNS:named.test'])] }),
      sendProxy: { version: 2, tlsFacts: true },
    })
    const { output } = await sClient(
      at('127.0.0.1', balanced.port),
      ['-servername', 'named.test', '-CAfile', trust.caFile, '-verify_return_error'],
      get('/'),
    )
    expect(output).toMatch(/^authority=named\.test$/m)
    expect(output).toMatch(/^src=127\.0\.0\.1$/m)
  })

  it('hears the first client through two balancers, whatever the versions between', async () => {
    for (const [outer, inner] of [
      ['v1', 'v2'],
      ['v2', 'v1'],
    ] as const) {
      await using second = await balancing({
        pool: pool({ backends: [address] }),
        acceptProxy: { from: ['127.0.0.0/8'] },
        sendProxy: inner,
      })
      await using first = await balancing(
        { pool: pool({ backends: [at('127.0.0.1', second.port)] }), sendProxy: outer },
        '::1',
      )
      const { answer, port } = await ask({ host: '::1', port: first.port }, get('/'))
      expect(facts(answer)).toMatchObject({
        src: '::1',
        src_port: String(port),
        dst: '::1',
        dst_port: String(first.port),
      })
      expect(await second.record()).toMatchObject({
        client: at('::1', port),
        local: at('::1', first.port),
      })
    }
  })
})

suiteWith('PROXY protocol to nginx', ['nginx'], () => {
  let home: Folder
  let peer: AsyncDisposable
  let address = ''

  beforeAll(async () => {
    home = await folder()
    const host = ownAddress()
    const port = await freePort(host)
    address = at(host, port)
    peer = await nginx(home, {
      http: `server {
    listen ${address} proxy_protocol;
    set_real_ip_from 127.0.0.0/8;
    real_ip_header proxy_protocol;
    location / {
      default_type text/plain;
      return 200 "src=$proxy_protocol_addr\\nsrc_port=$proxy_protocol_port\\ndst=$proxy_protocol_server_addr\\ndst_port=$proxy_protocol_server_port\\nremote=$remote_addr\\n";
    }
  }`,
    })
  })

  afterAll(async () => {
    await peer?.[Symbol.asyncDispose]()
    await home?.[Symbol.asyncDispose]()
  })

  for (const { family, host } of families) {
    it.each(['v1', 'v2'] as const)(`%s over ${family} tells the client`, async (sendProxy) => {
      await using balanced = await balancing(
        { pool: pool({ backends: [address] }), sendProxy },
        host,
      )
      const { answer, from, port } = await ask({ host, port: balanced.port }, get('/'))
      expect(facts(answer)).toMatchObject({
        src: from,
        src_port: String(port),
        dst: host,
        dst_port: String(balanced.port),
        remote: from,
      })
    })
  }

  it('steps over TLVs, of which nginx before 1.23.2 takes no more than 107 bytes with all the rest', async () => {
    await using balanced = await balancing({
      pool: pool({ backends: [address] }),
      sendProxy: { version: 2, crc32c: true, tlvs: [authorityTlv('a-name-of-some-length.test')] },
    })
    const { answer, port } = await ask({ host: '127.0.0.1', port: balanced.port }, get('/'))
    expect(facts(answer)['src_port']).toBe(String(port))
  })
})

suiteWith('PROXY protocol from HAProxy', ['haproxy', 'openssl', 'curl'], () => {
  let home: Folder
  let trust: Authority

  beforeAll(async () => {
    home = await folder()
    trust = await authority(home)
  })

  afterAll(async () => {
    await home?.[Symbol.asyncDispose]()
  })

  /** HAProxy in front of our balancer, with the options of its `server` line. */
  async function inFront(
    bind: string,
    server: string,
    front = '',
    back = '',
  ): Promise<AsyncDisposable & { host: string; port: number }> {
    const host = ownAddress()
    const port = await freePort(host)
    const edge = await haproxy(
      home,
      `frontend edge
  mode tcp
  bind ${at(host, port)} ${bind}
${front}
  default_backend steelyard
backend steelyard
  mode tcp
${back}
  server s ${server}`,
    )
    return { host, port, [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose]() }
  }

  /** Our balancer behind that HAProxy, in front of a backend that tells what it heard. */
  async function behind(options: {
    readonly server: string
    readonly bind?: string
    readonly front?: string
    readonly versions?: readonly (1 | 2)[]
  }): Promise<
    AsyncDisposable & {
      readonly reader: HeaderReader
      readonly balanced: Balancing
      readonly edge: { readonly host: string; readonly port: number }
    }
  > {
    const stack = new AsyncDisposableStack()
    const reader = stack.use(await headerReader())
    const balanced = stack.use(
      await balancing({
        pool: pool({ backends: [reader.address] }),
        acceptProxy: { from: ['127.0.0.0/8'], versions: options.versions ?? [1, 2] },
        sendProxy: { version: 2, passTlvs: true },
      }),
    )
    const server = `${at('127.0.0.1', balanced.port)} ${options.server}`
    const edge = stack.use(await inFront(options.bind ?? '', server, options.front))
    return { reader, balanced, edge, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  }

  it.each([
    ['send-proxy', 1],
    ['send-proxy-v2', 2],
    ['send-proxy-v2 proxy-v2-options crc32c', 2],
  ] as const)('reads `%s` over IPv4', async (server, version) => {
    await using chain = await behind({ server, versions: [version] })
    const { edge, balanced, reader } = chain
    const { from, port } = await ask(edge, get('/'))
    expect(await balanced.record()).toMatchObject({
      client: at(from, port),
      local: at(edge.host, edge.port),
      reason: 'closed',
    })
    const { header, body } = await reader.next()
    expect(header.source).toMatchObject({ address: from, port })
    expect(header.destination).toMatchObject({ address: edge.host, port: edge.port })
    expect(body).toBe(get('/'))
  })

  it.each(['send-proxy', 'send-proxy-v2'])('reads `%s` over IPv6', async (server) => {
    const port = await freePort('::1')
    await using chain = await behind({ server, front: `  bind [::1]:${port}` })
    const client = await ask({ host: '::1', port }, get('/'))
    expect(await chain.balanced.record()).toMatchObject({
      client: at('::1', client.port),
      local: at('::1', port),
    })
    const { header } = await chain.reader.next()
    expect(header).toMatchObject({ family: 6, source: { address: '::1', port: client.port } })
  })

  it('takes no version that it was not told to take', async () => {
    await using chain = await behind({ server: 'send-proxy-v2', versions: [1] })
    await ask(chain.edge, get('/')).catch(() => {})
    expect(await chain.balanced.record()).toMatchObject({ reason: 'proxy-header-invalid' })
  })

  it('reads the TLS facts of `send-proxy-v2-ssl-cn` and hands them on', async () => {
    const shop = await trust.issue('shop', ['DNS:shop.test'])
    const client = await trust.issue('alice', ['DNS:alice.test'], { usage: 'clientAuth' })
    await using chain = await behind({
      bind: `ssl crt ${shop.bothFile} alpn h2,http/1.1 ca-file ${trust.caFile} verify required`,
      front: '  unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp',
      server:
        'send-proxy-v2-ssl-cn proxy-v2-options crc32c,authority,unique-id,ssl-cipher,cert-sig,cert-key',
    })
    const { edge, balanced, reader } = chain
    const body = await said(path('curl'), [
      ...['-sS', '--http1.1', '--cacert', trust.caFile, '--tlsv1.3'],
      ...['--cert', client.certFile, '--key', client.keyFile],
      ...['--resolve', `shop.test:${edge.port}:${edge.host}`, '--local-port', '20000-30000'],
      `https://shop.test:${edge.port}/`,
    ])
    expect(body).toBe('ok\n')
    const record = await balanced.record()
    expect(record).toMatchObject({ local: at(edge.host, edge.port), reason: 'closed' })
    const { header } = await reader.next()
    const { tlvs } = header
    expect(`${header.source!.address}:${header.source!.port}`).toBe(record.client)
    expect(readAuthority(tlvs)).toBe('shop.test')
    expect(readAlpn(tlvs)).toBe('http/1.1')
    expect(Buffer.from(readUniqueId(tlvs)!).toString()).toMatch(/^7F[0-9A-F]+:[0-9A-F]{4}_7F/)
    expect(readSsl(tlvs)).toEqual({
      tls: true,
      certificateOnConnection: true,
      certificateInSession: true,
      verify: 0,
      version: 'TLSv1.3',
      commonName: 'alice.test',
      cipher: 'TLS_AES_256_GCM_SHA384',
      signatureAlgorithm: 'ecdsa-with-SHA256',
      keyAlgorithm: 'EC256',
    })
    // Made anew for our header, or its reader would have refused it.
    expect(findTlv(tlvs, TlvType.crc32c)).toHaveLength(4)
  })

  it('reads `send-proxy-v2-ssl` of a client without TLS', async () => {
    await using chain = await behind({ server: 'send-proxy-v2-ssl' })
    await ask(chain.edge, get('/'))
    const { tlvs } = (await chain.reader.next()).header
    expect(readSsl(tlvs)?.tls ?? false).toBe(false)
  })

  it('carries the TLVs of one HAProxy to another', async () => {
    const host = ownAddress()
    const port = await freePort(host)
    const shop = await trust.issue('carried', ['DNS:carried.test'])
    await using _inner = await haproxy(
      home,
      `frontend inner
  bind ${at(host, port)} accept-proxy
  http-request return status 200 content-type text/plain lf-string "src_port=%[src_port]\\nauthority=%[fc_pp_authority]\\nunique_id=%[fc_pp_unique_id]\\n"`,
    )
    await using balanced = await balancing({
      pool: pool({ backends: [at(host, port)] }),
      acceptProxy: { from: ['127.0.0.0/8'] },
      sendProxy: { version: 2, passTlvs: true, crc32c: true },
    })
    await using edge = await inFront(
      `ssl crt ${shop.bothFile}`,
      `${at('127.0.0.1', balanced.port)} send-proxy-v2 proxy-v2-options crc32c,authority,unique-id`,
      '  unique-id-format id-%cp',
    )
    const body = await said(path('curl'), [
      ...['-sS', '--cacert', trust.caFile, '-w', 'port=%{local_port}\\n'],
      ...['--resolve', `carried.test:${edge.port}:${edge.host}`],
      `https://carried.test:${edge.port}/`,
    ])
    const [, own] = /^port=(\d+)$/m.exec(body)!
    expect(facts(`\r\n\r\n${body}`)).toMatchObject({
      src_port: own,
      authority: 'carried.test',
      unique_id: `id-${own}`,
    })
  })

  it('counts the checks of HAProxy, which come with LOCAL, as connections from HAProxy', async () => {
    await using reader = await headerReader()
    await using balanced = await balancing({
      pool: pool({ backends: [reader.address] }),
      acceptProxy: { from: ['127.0.0.0/8'] },
      sendProxy: { version: 2, passTlvs: true },
    })
    await using _edge = await inFront(
      '',
      `${at('127.0.0.1', balanced.port)} send-proxy-v2 check inter 100ms`,
      '',
      '  option httpchk GET /health',
    )
    const { header, body } = await reader.next()
    expect(body).toMatch(/^GET \/health /)
    // What the check reached is our own port: no client stands behind it.
    expect(header.destination).toMatchObject({ address: '127.0.0.1', port: balanced.port })
    let record = await balanced.record()
    while (!record.client.endsWith(`:${header.source!.port}`)) record = await balanced.record()
    expect(record).toMatchObject({ local: at('127.0.0.1', balanced.port), attempts: 1 })
  })

  it('takes nobody for a stranger who only looks whether it listens', async () => {
    await using balanced = await balancing({
      pool: pool({ backends: ['127.0.0.1:1'] }),
      acceptProxy: { from: ['127.0.0.0/8'] },
    })
    // A check without words: the header, and at once a reset, which may come before our accept.
    await using edge = await inFront(
      '',
      `${at('127.0.0.1', balanced.port)} send-proxy-v2 check inter 20ms`,
    )
    await balanced.ended(20)
    expect(edge.port).toBeGreaterThan(0)
    expect([...new Set(balanced.records.map(({ reason }) => reason))]).not.toContain(
      'proxy-header-untrusted',
    )
  })
})

suiteWith(
  'PROXY protocol from nginx',
  ['nginx'],
  () => {
    it.each(families)('reads what `proxy_protocol on` sends over $family', async ({ host }) => {
      await using home = await folder()
      await using reader = await headerReader()
      await using balanced = await balancing({
        pool: pool({ backends: [reader.address] }),
        acceptProxy: { from: ['127.0.0.1'] },
        sendProxy: 'v2',
      })
      const port = await freePort(host)
      await using _edge = await nginx(home, {
        stream: `server {
    listen ${at(host, port)};
    proxy_pass 127.0.0.1:${balanced.port};
    proxy_protocol on;
  }`,
      })
      const client = await ask({ host, port }, get('/'))
      expect(await balanced.record()).toMatchObject({
        client: at(client.from, client.port),
        local: at(host, port),
        reason: 'closed',
      })
      const { header } = await reader.next()
      expect(header.source).toMatchObject({ address: client.from, port: client.port })
    })
  },
  streamLacking,
)
