import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect as tlsConnect } from 'node:tls'
import { type Pool, pool } from '@steelyard/core'
import { type TlsContextsOptions, tlsContexts } from '@steelyard/l4'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Balancing, balancing } from './balancing.ts'
import { daemon } from './daemon.ts'
import { type Folder, folder } from './folder.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { type Authority, authority, type Issued } from './peers/authority.ts'
import { nginx } from './peers/nginx.ts'
import { type Handshake, sClient } from './peers/s-client.ts'
import { said } from './run.ts'

const versions = [
  ['TLSv1.2', '-tls1_2'],
  ['TLSv1.3', '-tls1_3'],
] as const

suiteWith('TLS that ends in the balancer', ['openssl', 'curl', 'nginx', 'socat'], () => {
  let home: Folder
  let trust: Authority
  let stranger: Authority
  let [a, b, rsa, alice, mallory] = [] as unknown as Issued[] as [
    Issued,
    Issued,
    Issued,
    Issued,
    Issued,
  ]
  let web: AsyncDisposable
  let plain: Pool
  let h2c: Pool

  beforeAll(async () => {
    home = await folder()
    trust = await authority(home)
    stranger = await authority(home, 'stranger')
    a = await trust.issue('a', ['DNS:a.test', 'DNS:*.wild.test'])
    b = await trust.issue('b', ['DNS:b.test'])
    rsa = await trust.issue('a-rsa', ['DNS:a.test'], { keyType: 'rsa' })
    alice = await trust.issue('alice', ['DNS:alice'], { usage: 'clientAuth' })
    mallory = await stranger.issue('mallory', ['DNS:alice'], { usage: 'clientAuth' })
    await home.write('large', Buffer.alloc(24 * 1024 * 1024, 'steelyard'))
    const host = ownAddress()
    const [port, h2Port] = [await freePort(host), await freePort(host)]
    const serve = `location = /who { default_type text/plain; return 200 "nginx $server_protocol\\n"; }
    location = /large { alias ${home.at('large')}; }`
    web = await nginx(home, {
      http: `  server { listen ${at(host, port)}; ${serve} }
  server { listen ${at(host, h2Port)} http2; ${serve} }`,
    })
    plain = pool({ name: 'plain', backends: [at(host, port)] })
    h2c = pool({ name: 'h2c', backends: [at(host, h2Port)] })
  })

  afterAll(async () => {
    await web?.[Symbol.asyncDispose]()
    await home?.[Symbol.asyncDispose]()
  })

  /** A balancer that ends TLS; the certificates are a.test (shown by default) and b.test. */
  function terminating(
    options: Partial<TlsContextsOptions> = {},
    group = plain,
  ): Promise<Balancing> {
    return balancing({ pool: group, terminate: tlsContexts({ certificates: [a, b], ...options }) })
  }

  function handshake(
    balanced: Balancing,
    name: string | undefined,
    ...args: string[]
  ): Promise<Handshake> {
    return sClient(at('127.0.0.1', balanced.port), [
      ...['-CAfile', trust.caFile, '-verify_return_error'],
      ...(name === undefined ? ['-noservername'] : ['-servername', name, '-verify_hostname', name]),
      ...args,
    ])
  }

  describe.each(versions)('%s', (protocol, version) => {
    it.each([
      ['a.test', 'a.test'],
      ['b.test', 'b.test'],
      ['any.wild.test', 'a.test'],
      [undefined, 'a.test'],
    ])('asked for %s shows the certificate of %s', async (name, shown) => {
      await using balanced = await terminating()
      expect(await handshake(balanced, name, version)).toMatchObject({
        protocol,
        name: shown,
        verified: true,
        alert: undefined,
        output: expect.stringMatching(/nginx HTTP\/1\.0/) as string,
      })
      const record = await balanced.record()
      expect(record).toMatchObject({ reason: 'closed' })
      expect(record.serverName).toBe(name)
    })

    it('chooses its own favourite among the application protocols', async () => {
      await using balanced = await terminating({ alpn: ['h2', 'http/1.1'] })
      expect(await handshake(balanced, 'a.test', version, '-alpn', 'http/1.1,h2')).toMatchObject({
        alpn: 'h2',
      })
      expect(await balanced.record()).toMatchObject({ alpn: 'h2' })
      expect(await handshake(balanced, 'a.test', version, '-alpn', 'http/1.1')).toMatchObject({
        alpn: 'http/1.1',
      })
      expect(await balanced.record()).toMatchObject({ alpn: 'http/1.1' })
      expect(await handshake(balanced, 'a.test', version)).toMatchObject({
        protocol,
        alpn: undefined,
      })
      expect((await balanced.record()).alpn).toBeUndefined()
      const other = await handshake(balanced, 'a.test', version, '-alpn', 'smtp')
      expect(other).toMatchObject({ protocol: undefined, alert: 'no application protocol' })
      expect(await balanced.record()).toMatchObject({ reason: 'tls-failed', attempts: 0 })
    })

    it('resumes sessions, unless it was told not to', async () => {
      const session = home.at(`session-${version}`)
      await using balanced = await terminating()
      await handshake(balanced, 'a.test', version, '-sess_out', session)
      const again = await handshake(balanced, 'a.test', version, '-sess_in', session)
      expect(again).toMatchObject({ protocol, reused: true })
      expect(again.output).toMatch(/nginx HTTP\/1\.0/)
      // Not for the other name, whose certificate the client has never seen.
      expect(await handshake(balanced, 'b.test', version, '-sess_in', session)).toMatchObject({
        reused: false,
        name: 'b.test',
      })
      await using without = await terminating({ tickets: false })
      await handshake(without, 'a.test', version, '-sess_out', session)
      expect(await handshake(without, 'a.test', version, '-sess_in', session)).toMatchObject({
        protocol,
        reused: false,
      })
    })

    it.each([
      ['required', 'no certificate', [], false],
      ['required', 'a certificate of the authority', 'alice', true],
      ['required', 'a certificate of another authority', 'mallory', false],
      ['optional', 'no certificate', [], true],
      ['optional', 'a certificate of the authority', 'alice', true],
      ['optional', 'a certificate of another authority', 'mallory', false],
      ['none', 'no certificate', [], true],
      ['none', 'a certificate of another authority', 'mallory', true],
    ] as const)('with client certificates %s, a client with %s', async (rule, _, who, welcome) => {
      await using balanced = await terminating({
        clientCertificate: rule,
        ...(rule === 'none' ? {} : { clientCa: trust.ca }),
      })
      const own = who === 'alice' ? alice : who === 'mallory' ? mallory : undefined
      const result = await handshake(
        balanced,
        'a.test',
        version,
        ...(own === undefined ? [] : ['-cert', own.certFile, '-key', own.keyFile]),
      )
      const asked = /^Acceptable client certificate CA names/m.test(result.output)
      expect(asked).toBe(rule !== 'none')
      if (welcome) {
        expect(result).toMatchObject({ alert: undefined, protocol })
        expect(result.output).toMatch(/nginx HTTP\/1\.0/)
        expect(await balanced.record()).toMatchObject({ reason: 'closed', attempts: 1 })
      } else {
        expect(result.output).not.toMatch(/nginx/)
        // OpenSSL refuses whoever has none by an alert. Whose certificate is wrong is refused by Node after
        // the handshake, which can only close.
        if (who !== 'mallory')
          expect(result.alert).toMatch(/certificate required|handshake failure/)
        const record = await balanced.record()
        expect(record).toMatchObject({ reason: 'tls-failed', endedBy: 'client', attempts: 0 })
        expect(record.error).toMatchObject({ code: 'tls-verify-failed', source: 'client' })
      }
    })

    it('ends each direction by itself', async () => {
      const host = ownAddress()
      const port = await freePort(host)
      // It answers when it has heard everything, and not before.
      await using _digest = await daemon(
        path('socat'),
        [`TCP-LISTEN:${port},bind=${host},fork,reuseaddr`, 'EXEC:sha256sum'],
        { ready: { host, port } },
      )
      await using balanced = await terminating({}, pool({ backends: [at(host, port)] }))
      const text = 'half'.repeat(500_000)
      const secure = `OPENSSL:127.0.0.1:${balanced.port},cafile=${trust.caFile},snihost=a.test,commonname=a.test`
      const bounds = `openssl-min-proto-version=${protocol.replace('v', '')},openssl-max-proto-version=${protocol.replace('v', '')}`
      const answer = await said(path('socat'), ['-t', '10', '-', `${secure},${bounds}`], {
        input: text,
      })
      expect(answer.split(' ')[0]).toBe(createHash('sha256').update(text).digest('hex'))
      expect(await balanced.record()).toMatchObject({
        reason: 'closed',
        endedBy: 'client',
        bytesFromClient: text.length,
        bytesToClient: answer.length,
      })
    })
  })

  it.each([
    ['-tls1', 'TLS 1.0'],
    ['-tls1_1', 'TLS 1.1'],
  ])('refuses %s with an alert', async (flag) => {
    await using balanced = await terminating()
    const old = await handshake(balanced, 'a.test', flag, '-cipher', 'DEFAULT@SECLEVEL=0')
    expect(old).toMatchObject({ protocol: undefined, alert: 'protocol version' })
    const record = await balanced.record()
    expect(record).toMatchObject({ reason: 'tls-failed', endedBy: 'client', serverName: 'a.test' })
    expect(record.error).toMatchObject({ code: 'tls-handshake-failed' })
  })

  it('refuses TLS 1.2 where it was told so', async () => {
    await using balanced = await terminating({ minVersion: 'TLSv1.3' })
    expect(await handshake(balanced, 'a.test', '-tls1_2')).toMatchObject({
      alert: 'protocol version',
    })
    expect(await handshake(balanced, 'a.test')).toMatchObject({ protocol: 'TLSv1.3' })
  })

  it('speaks only the ciphers that it was told, in its own order', async () => {
    await using balanced = await terminating({
      ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256',
      maxVersion: 'TLSv1.2',
    })
    const offer = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384'
    expect(await handshake(balanced, 'a.test', '-cipher', offer)).toMatchObject({
      cipher: 'ECDHE-ECDSA-AES256-GCM-SHA384',
    })
    expect(
      await handshake(balanced, 'a.test', '-cipher', 'ECDHE-ECDSA-CHACHA20-POLY1305', '-tls1_2'),
    ).toMatchObject({ protocol: undefined, alert: 'handshake failure' })
  })

  it('shows the certificate whose key the client understands', async () => {
    await using balanced = await terminating({ certificates: [a, rsa] })
    const types = [
      ['ECDHE-RSA-AES128-GCM-SHA256', 'RSA'],
      ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDSA'],
    ] as const
    for (const [cipher, type] of types) {
      const result = await handshake(balanced, 'a.test', '-tls1_2', '-cipher', cipher)
      expect(result).toMatchObject({ cipher, verified: true })
      expect(result.output).toMatch(new RegExp(`^Peer signature type: ${type}`, 'm'))
    }
  })

  it('rejects a name that it does not have, where it was told so', async () => {
    await using balanced = await terminating({ unknownName: 'reject' })
    expect(await handshake(balanced, 'nobody.test')).toMatchObject({ alert: 'unrecognized name' })
    expect(await balanced.record()).toMatchObject({
      reason: 'tls-failed',
      serverName: 'nobody.test',
    })
  })

  it('shows other certificates from one connection to the next, and drops none', async () => {
    const contexts = tlsContexts({ certificates: [a] })
    await using balanced = await balancing({ pool: plain, terminate: contexts })
    const old = tlsConnect({
      port: balanced.port,
      host: '127.0.0.1',
      servername: 'a.test',
      ca: trust.ca,
    })
    await once(old, 'secureConnect')
    const renewed = await trust.issue('a-renewed', ['DNS:a.test'], { days: 700 })
    contexts.replace([renewed, b])
    const shown = await handshake(balanced, 'a.test')
    expect(shown).toMatchObject({ verified: true })
    expect(shown.output).toContain(renewed.cert.trim())
    expect(await handshake(balanced, 'b.test')).toMatchObject({ name: 'b.test', verified: true })
    old.write('GET /who HTTP/1.0\r\n\r\n')
    const [answer] = (await once(old, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200/)
    old.destroy()
  })

  it('lets curl speak HTTP/2 to a server that knows no TLS', async () => {
    await using balanced = await terminating({ alpn: ['h2', 'http/1.1'] }, h2c)
    const url = `https://a.test:${balanced.port}`
    const to = ['-sS', '--cacert', trust.caFile, '--resolve', `a.test:${balanced.port}:127.0.0.1`]
    const report = await said(path('curl'), [
      ...to,
      ...[
        '--http2',
        '-Z',
        '-o',
        home.at('first'),
        '-o',
        home.at('second'),
        '-w',
        '%{http_version} %{size_download}\\n',
      ],
      ...[`${url}/large`, `${url}/large`],
    ])
    expect(report).toBe(`2 ${24 * 1024 * 1024}\n`.repeat(2))
    for (const name of ['first', 'second']) {
      await said(path('cmp'), [home.at(name), home.at('large')])
    }
    expect(await said(path('curl'), [...to, '--http2', `${url}/who`])).toBe('nginx HTTP/2.0\n')
  })

  it('brings curl a large file by TLS 1.2 and by TLS 1.3', async () => {
    await using balanced = await terminating()
    const url = `https://a.test:${balanced.port}/large`
    const to = ['-sS', '--cacert', trust.caFile, '--resolve', `a.test:${balanced.port}:127.0.0.1`]
    for (const version of ['1.2', '1.3']) {
      const report = await said(path('curl'), [
        ...to,
        ...[
          '--tls-max',
          version,
          '-o',
          home.at('got'),
          '-w',
          '%{ssl_verify_result} %{size_download}',
          url,
        ],
      ])
      expect(report).toBe(`0 ${24 * 1024 * 1024}`)
      await said(path('cmp'), [home.at('got'), home.at('large')])
      expect(await balanced.record()).toMatchObject({ reason: 'closed' })
    }
  })
})
