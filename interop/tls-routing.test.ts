import { type Pool, pool } from '@steelyard/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Balancing, balancing } from './balancing.ts'
import { ask, get } from './client.ts'
import { daemon } from './daemon.ts'
import { type Folder, folder } from './folder.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { type Authority, authority } from './peers/authority.ts'
import { nginx } from './peers/nginx.ts'
import { sClient } from './peers/s-client.ts'
import { type Outcome, run } from './run.ts'

suiteWith('TLS routed by name, untouched', ['openssl', 'curl', 'nginx', 'stunnel4'], () => {
  let home: Folder
  let trust: Authority
  const stack = new AsyncDisposableStack()
  const pools: Record<'a' | 'aH2' | 'b' | 'tunnel' | 'proxied', Pool> = {} as never

  beforeAll(async () => {
    home = await folder()
    stack.use(home)
    trust = await authority(home)
    await home.write('large', Buffer.alloc(24 * 1024 * 1024, 'steelyard'))
    const host = ownAddress()
    const servers: string[] = []
    const serve = async (
      name: keyof typeof pools,
      names: string[],
      listen = 'ssl',
    ): Promise<void> => {
      const port = await freePort(host)
      const { certFile, keyFile } = await trust.issue(name, names)
      servers.push(`  server {
    listen ${at(host, port)} ${listen};
    ssl_certificate ${certFile};
    ssl_certificate_key ${keyFile};
    ssl_protocols TLSv1.2 TLSv1.3;
    location = /who {
      default_type text/plain;
      return 200 "${name} $ssl_server_name $ssl_protocol $server_protocol $proxy_protocol_addr:$proxy_protocol_port\\n";
    }
    location = /large { alias ${home.at('large')}; }
  }`)
      pools[name] = pool({ name, backends: [at(host, port)] })
    }
    await serve('a', ['DNS:a.test'])
    await serve('aH2', ['DNS:a.test'], 'ssl http2')
    await serve('b', ['DNS:b.test', 'DNS:*.wild.test'])
    await serve('proxied', ['DNS:proxied.test'], 'ssl proxy_protocol')
    const plainPort = await freePort(host)
    servers.push(`  server {
    listen ${at(host, plainPort)};
    location = /who { default_type text/plain; return 200 "behind stunnel\\n"; }
  }`)
    stack.use(await nginx(home, { http: servers.join('\n') }))
    const tunnelPort = await freePort(host)
    const { certFile, keyFile } = await trust.issue('tunnel', ['DNS:tunnel.test'])
    const tunnel = await home.write(
      'stunnel.conf',
      `foreground = yes
pid =
[web]
accept = ${at(host, tunnelPort)}
connect = ${at(host, plainPort)}
cert = ${certFile}
key = ${keyFile}
`,
    )
    stack.use(await daemon(path('stunnel4'), [tunnel], { ready: { host, port: tunnelPort } }))
    pools.tunnel = pool({ name: 'tunnel', backends: [at(host, tunnelPort)] })
  })

  afterAll(() => stack.disposeAsync())

  function routing(): Promise<Balancing> {
    return balancing({
      pool: pool({ name: 'unused' }),
      routes: {
        rules: [
          { sni: 'a.test', alpn: 'h2', target: { pool: pools.aH2 } },
          { sni: 'a.test', target: { pool: pools.a } },
          { sni: ['b.test', '*.wild.test'], target: { pool: pools.b } },
          { sni: 'tunnel.test', target: { pool: pools.tunnel } },
          { sni: 'proxied.test', target: { pool: pools.proxied, sendProxy: 'v2' } },
        ],
        absent: { pool: pools.b },
      },
    })
  }

  function curl(balanced: Balancing, name: string, ...args: string[]): Promise<Outcome> {
    return run(path('curl'), [
      ...['-sS', '--cacert', trust.caFile, '--resolve', `${name}:${balanced.port}:127.0.0.1`],
      ...args,
      `https://${name}:${balanced.port}${args.includes('-o') ? '/large' : '/who'}`,
    ])
  }

  it('brings each name to its own server and its own certificate', async () => {
    await using balanced = await routing()
    for (const version of ['1.2', '1.3']) {
      const max = ['--tls-max', version, '--http1.1']
      expect((await curl(balanced, 'a.test', ...max)).stdout).toBe(
        `a a.test TLSv${version} HTTP/1.1 :\n`,
      )
      expect(await balanced.record()).toMatchObject({ serverName: 'a.test', pool: 'a' })
      expect((await curl(balanced, 'b.test', ...max)).stdout).toMatch(/^b b\.test/)
      expect(await balanced.record()).toMatchObject({ serverName: 'b.test', pool: 'b' })
      expect((await curl(balanced, 'any.wild.test', ...max)).stdout).toMatch(/^b any\.wild\.test/)
      expect(await balanced.record()).toMatchObject({ serverName: 'any.wild.test', pool: 'b' })
      expect((await curl(balanced, 'tunnel.test', ...max)).stdout).toBe('behind stunnel\n')
      expect(await balanced.record()).toMatchObject({ serverName: 'tunnel.test', pool: 'tunnel' })
    }
  })

  it('goes by the application protocol too', async () => {
    await using balanced = await routing()
    expect((await curl(balanced, 'a.test', '--http2')).stdout).toMatch(/^aH2 a\.test .* HTTP\/2\.0/)
    expect(await balanced.record()).toMatchObject({ pool: 'aH2', alpn: 'h2' })
    expect((await curl(balanced, 'a.test', '--no-alpn')).stdout).toMatch(/^a a\.test .* HTTP\/1\.1/)
    expect(await balanced.record()).toMatchObject({ pool: 'a' })
  })

  it('tells a server behind TLS the client by a PROXY header in front of it', async () => {
    await using balanced = await routing()
    const { stdout } = await curl(balanced, 'proxied.test', '-w', '%{local_port}')
    const [, seen, own] = /127\.0\.0\.1:(\d+)\n(\d+)$/.exec(stdout) ?? []
    expect(seen).toBe(own)
  })

  it('goes by the rule for clients without a name', async () => {
    await using balanced = await routing()
    const shaken = await sClient(at('127.0.0.1', balanced.port), ['-noservername'])
    expect(shaken).toMatchObject({ name: 'b.test' })
    const record = await balanced.record()
    // It leaves without reading the session tickets, and then its kernel may reset.
    expect(record).toMatchObject({
      pool: 'b',
      reason: expect.stringMatching(/^(closed|reset)$/) as string,
    })
    expect(record).not.toHaveProperty('serverName')
  })

  it('refuses names without rule, and whoever speaks no TLS', async () => {
    await using balanced = await routing()
    expect((await curl(balanced, 'nobody.test')).code).toBe(35)
    expect(await balanced.record()).toMatchObject({ reason: 'no-route', serverName: 'nobody.test' })
    await expect(ask({ host: '127.0.0.1', port: balanced.port }, get('/'))).rejects.toMatchObject({
      code: 'ECONNRESET',
    })
    expect(await balanced.record()).toMatchObject({ reason: 'client-hello-invalid' })
  })

  it('reads a ClientHello that OpenSSL cuts into several records', async () => {
    await using balanced = await routing()
    const many = Array.from({ length: 100 }, (_, index) => `protocol-of-some-length-${index}`)
    const shaken = await sClient(at('127.0.0.1', balanced.port), [
      ...['-servername', 'a.test', '-CAfile', trust.caFile, '-verify_return_error'],
      ...['-max_send_frag', '512', '-alpn', ['h2', ...many].join(',')],
    ])
    expect(shaken).toMatchObject({ alpn: 'h2', name: 'a.test', verified: true })
    expect(await balanced.record()).toMatchObject({ pool: 'aH2' })
  })

  it('brings large files as they were, eight at a time', async () => {
    await using balanced = await routing()
    const names = Array.from({ length: 8 }, (_, index) => home.at(`got-${index}`))
    const results = await Promise.all(names.map((name) => curl(balanced, 'b.test', '-o', name)))
    expect(results.map(({ code, stderr }) => `${code}${stderr}`)).toEqual(names.map(() => '0'))
    for (const name of names) {
      expect((await run(path('cmp'), [name, home.at('large')])).code).toBe(0)
    }
  })
})
