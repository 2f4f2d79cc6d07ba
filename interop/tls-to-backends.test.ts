import { pool } from '@steelyard/core'
import { type OriginateOptions, tlsContexts } from '@steelyard/l4'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Balancing, balancing } from './balancing.ts'
import { ask, bodyOf, get } from './client.ts'
import { type Folder, folder } from './folder.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { type Authority, authority, type Issued } from './peers/authority.ts'
import { nginx } from './peers/nginx.ts'
import { said } from './run.ts'

suiteWith('TLS to nginx', ['openssl', 'nginx', 'curl'], () => {
  const stack = new AsyncDisposableStack()
  let home: Folder
  let trust: Authority
  let stranger: Authority
  let alice: Issued
  /** Addresses of servers: of name a.test, of the stranger's making, asking for certificates, of TLS 1.1. */
  let [good, forged, demanding, old, numeric] = ['', '', '', '', '']

  beforeAll(async () => {
    home = stack.use(await folder())
    trust = await authority(home)
    stranger = await authority(home, 'stranger')
    alice = await trust.issue('alice', ['DNS:alice'], { usage: 'clientAuth' })
    const host = ownAddress()
    const servers: string[] = []
    const serve = async (
      name: string,
      { certFile, keyFile }: Issued,
      more = 'ssl_protocols TLSv1.2 TLSv1.3;',
    ): Promise<string> => {
      const port = await freePort(host)
      servers.push(`  server {
    listen ${at(host, port)} ssl;
    ssl_certificate ${certFile};
    ssl_certificate_key ${keyFile};
    ${more}
    location = /who {
      default_type text/plain;
      return 200 "${name}|$ssl_server_name|$ssl_protocol|$ssl_session_reused|$ssl_client_s_dn|$ssl_alpn_protocol\\n";
    }
  }`)
      return at(host, port)
    }
    good = await serve('good', await trust.issue('good', ['DNS:a.test']))
    forged = await serve('forged', await stranger.issue('forged', ['DNS:a.test']))
    demanding = await serve(
      'demanding',
      await trust.issue('demanding', ['DNS:a.test']),
      `ssl_protocols TLSv1.2 TLSv1.3; ssl_verify_client on; ssl_client_certificate ${trust.caFile};`,
    )
    old = await serve(
      'old',
      await trust.issue('old', ['DNS:a.test']),
      'ssl_protocols TLSv1.1; ssl_ciphers DEFAULT@SECLEVEL=0;',
    )
    numeric = await serve('numeric', await trust.issue('numeric', [`IP:${host}`]))
    stack.use(await nginx(home, { http: servers.join('\n') }))
  })

  afterAll(() => stack.disposeAsync())

  function encrypting(backends: string[], originate: OriginateOptions): Promise<Balancing> {
    return balancing({ pool: pool({ backends }), originate })
  }

  async function who(balanced: Balancing): Promise<string[]> {
    const { answer } = await ask({ host: '127.0.0.1', port: balanced.port }, get('/who'))
    return bodyOf(answer).trim().split('|')
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'verifies it, asks for its name, and comes back briefly (%s)',
    async (maxVersion) => {
      await using balanced = await encrypting([good], {
        ca: trust.ca,
        serverName: 'a.test',
        maxVersion,
      })
      expect(await who(balanced)).toEqual(['good', 'a.test', maxVersion, '.', '', ''])
      expect(await balanced.record()).toMatchObject({ reason: 'closed', attempts: 1 })
      // `r`: nginx knows the session.
      expect(await who(balanced)).toEqual(['good', 'a.test', maxVersion, 'r', '', ''])
    },
  )

  it('verifies an address when there is no name', async () => {
    await using balanced = await encrypting([numeric], { ca: trust.ca })
    expect(await who(balanced)).toEqual(['numeric', '', 'TLSv1.3', '.', '', ''])
    await using nameless = await encrypting([good], { ca: trust.ca })
    await expect(who(nameless)).rejects.toMatchObject({ code: 'ECONNRESET' })
    const record = await nameless.record()
    expect(record).toMatchObject({ reason: 'backend-tls-failed' })
    expect(record.error?.message).toMatch(/not in the cert's list|does not match|altnames/i)
  })

  it.each([
    ['by an authority that it was not told of', () => ({ ca: stranger.ca, serverName: 'a.test' })],
    ['while it was told of no authority at all', () => ({ serverName: 'a.test' })],
    ['for another name', () => ({ ca: trust.ca, serverName: 'b.test' })],
  ])('trusts no certificate made %s', async (_, options) => {
    await using balanced = await encrypting([good], options())
    await expect(who(balanced)).rejects.toMatchObject({ code: 'ECONNRESET' })
    const record = await balanced.record()
    expect(record).toMatchObject({
      reason: 'backend-tls-failed',
      endedBy: 'backend',
      bytesFromClient: 0,
      bytesToClient: 0,
    })
    expect(record.error?.cause).toMatchObject({ code: 'tls-verify-failed', source: 'backend' })
    expect(record.error?.message).toMatch(/certificate of the backend was not accepted/)
  })

  it('trusts anybody where it was told so', async () => {
    await using balanced = await encrypting([forged], { verify: false, serverName: 'a.test' })
    expect(await who(balanced)).toEqual(['forged', 'a.test', 'TLSv1.3', '.', '', ''])
  })

  it('goes on to the next member when the certificate of one is not to be trusted', async () => {
    await using balanced = await encrypting([forged, good], { ca: trust.ca, serverName: 'a.test' })
    for (let i = 0; i < 6; i++) expect((await who(balanced))[0]).toBe('good')
    await balanced.ended(6)
    expect(new Set(balanced.records.map(({ reason }) => reason))).toEqual(new Set(['closed']))
    const { connectFailures, retries } = balanced.balancer.stats()
    // A retry takes the next turn of the round, so that the first turn of every client may be the bad one.
    expect(connectFailures).toBeGreaterThanOrEqual(3)
    expect(retries).toBe(connectFailures)
  })

  it('speaks no TLS 1.1', async () => {
    await using balanced = await encrypting([old], { ca: trust.ca, serverName: 'a.test' })
    await expect(who(balanced)).rejects.toMatchObject({ code: 'ECONNRESET' })
    const record = await balanced.record()
    expect(record).toMatchObject({ reason: 'backend-tls-failed' })
    expect(record.error?.cause).toMatchObject({ code: 'tls-handshake-failed', source: 'backend' })
  })

  it('presents its own certificate to who asks for it', async () => {
    const options = { ca: trust.ca, serverName: 'a.test' }
    await using balanced = await encrypting([demanding], { ...options, certificate: alice })
    expect((await who(balanced)).slice(0, 5)).toEqual([
      'demanding',
      'a.test',
      'TLSv1.3',
      '.',
      'CN=alice',
    ])
    await using without = await encrypting([demanding], options)
    const { answer } = await ask({ host: '127.0.0.1', port: without.port }, get('/who'))
    expect(answer).toMatch(/^HTTP\/1\.1 400 .*No required SSL certificate was sent/s)
  })

  it('agrees on an application protocol', async () => {
    await using balanced = await encrypting([good], {
      ca: trust.ca,
      serverName: 'a.test',
      alpn: ['http/1.1'],
    })
    expect((await who(balanced))[5]).toBe('http/1.1')
  })

  it('ends TLS on one side and begins it on the other', async () => {
    const shop = await trust.issue('shop', ['DNS:shop.test'])
    await using balanced = await balancing({
      pool: pool({ backends: [good] }),
      terminate: tlsContexts({ certificates: [shop] }),
      originate: { ca: trust.ca, serverName: 'a.test' },
    })
    const url = `https://shop.test:${balanced.port}/who`
    const to = [
      '-sS',
      '--cacert',
      trust.caFile,
      '--resolve',
      `shop.test:${balanced.port}:127.0.0.1`,
    ]
    expect(await said(path('curl'), [...to, url, url, url])).toBe(
      'good|a.test|TLSv1.3|.||\n'.repeat(3),
    )
    expect(await balanced.record()).toMatchObject({ serverName: 'shop.test', reason: 'closed' })
  })
})
