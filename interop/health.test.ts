import { readFileSync } from 'node:fs'
import { pool, systemClock } from '@steelyard/core'
import {
  type Check,
  healthMonitor,
  httpCheck,
  type ProbeResult,
  scriptCheck,
  tcpCheck,
  tlsCheck,
  udpCheck,
} from '@steelyard/health'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { becomes } from './becomes.ts'
import { eventually } from './eventually.ts'
import { type Folder, folder } from './folder.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { type Authority, authority, type Issued } from './peers/authority.ts'
import { txtQuery } from './peers/dns.ts'
import { nginx } from './peers/nginx.ts'
import { redis } from './peers/redis.ts'
import { unbound } from './peers/unbound.ts'

/** Makes one check of an address, within its timeout. */
async function probe(of: Check, host: string, port: number): Promise<ProbeResult> {
  const target = of.locate({ address: at(host, port), host, port })
  const { timeoutMs } = of.schedule
  const signal = AbortSignal.timeout(timeoutMs)
  const result = await of.probe(target, { signal, timeoutMs, clock: systemClock, state: 'unknown' })
  of.forget?.(target)
  return result
}

/** Does this process still do anything? What nobody has waited for yet does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

suiteWith('HTTP checks of nginx', ['nginx', 'openssl'], () => {
  const stack = new AsyncDisposableStack()
  const host = ownAddress()
  let home: Folder
  let trust: Authority
  let stranger: Authority
  let [plain, secure, h2, expiring] = [0, 0, 0, 0]

  beforeAll(async () => {
    home = stack.use(await folder())
    trust = await authority(home)
    stranger = await authority(home, 'stranger')
    ;[plain, secure, h2, expiring] = [
      await freePort(host),
      await freePort(host),
      await freePort(host),
      await freePort(host),
    ]
    const routes = `
    location = /ok { default_type application/json; return 200 '{"status":"ok","connection":$connection_requests}'; }
    location = /host { default_type text/plain; return 200 "$host $http_x_probe $request_method"; }
    location = /moved { return 302 /ok; }
    location = /gone { return 410; }
    location = /empty { return 204; }
    location = /limited { limit_rate_after 20k; limit_rate 1k; alias ${home.at('large')}; default_type text/plain; }
    location = /large { alias ${home.at('large')}; default_type text/plain; }`
    await home.write('large', `${'x'.repeat(200_000)}needle`)
    const secured = ({ certFile, keyFile }: Issued): string =>
      `ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}; ssl_protocols TLSv1.2 TLSv1.3;`
    const good = secured(await trust.issue('good', ['DNS:check.test']))
    const soon = secured(await trust.issue('soon', ['DNS:check.test'], { days: 5 }))
    stack.use(
      await nginx(home, {
        http: `  keepalive_timeout 1s;
  server { listen ${at(host, plain)}; ${routes} }
  server { listen ${at(host, secure)} ssl; ${good} ${routes} }
  server { listen ${at(host, h2)} ssl http2; ${good} ${routes} }
  server { listen ${at(host, expiring)} ssl; ${soon} ${routes} }`,
      }),
    )
  })

  afterAll(() => stack.disposeAsync())

  it.each([
    ['/ok', {}, 'ok', /answered 200/],
    ['/gone', {}, 'fail', /answered 410, expected 200-299/],
    ['/gone', { expect: 410 }, 'ok', /answered 410/],
    ['/gone', { expect: [200, '400-499'] }, 'ok', /answered 410/],
    ['/empty', {}, 'ok', /answered 204/],
    ['/empty', { expectBody: 'ok' }, 'fail', /answered 204, but "ok" is not in its body/],
    ['/moved', {}, 'fail', /answered 302/],
    ['/moved', { expect: '300-399', expectHeaders: { location: /\/ok$/ } }, 'ok', /answered 302/],
    ['/ok', { expectBody: '"status":"ok"' }, 'ok', /answered 200/],
    ['/ok', { expectBody: /"connection":\d+/ }, 'ok', /answered 200/],
    ['/ok', { expectBody: '"status":"bad"' }, 'fail', /is not in its body/],
    ['/ok', { expectHeaders: { 'content-type': 'application/json' } }, 'ok', /answered 200/],
    [
      '/ok',
      { expectHeaders: { 'content-type': 'text/html' } },
      'fail',
      /content-type is "application\/json"/,
    ],
    ['/large', { expectBody: 'needle' }, 'fail', /is not in the first 65536 bytes/],
    ['/large', { expectBody: 'needle', maxBody: '1MiB' }, 'ok', /answered 200/],
    ['/large', { method: 'HEAD' }, 'ok', /answered 200/],
    [
      '/limited',
      { expectBody: 'needle', maxBody: '1MiB', timeout: 300 },
      'fail',
      /not all of its body came within 300ms/,
    ],
    [
      '/host',
      {
        host: 'shop.test',
        headers: { 'X-Probe': 'yes' },
        method: 'POST',
        body: 'x',
        expectBody: 'shop.test yes POST',
      },
      'ok',
      /answered 200/,
    ],
  ] as const)('%s with %o: %s', async (url, options, outcome, reason) => {
    const result = await probe(httpCheck({ path: url, timeout: '2s', ...options }), host, plain)
    expect(result).toMatchObject({ outcome, reason: expect.stringMatching(reason) as string })
  })

  it('uses one connection for many checks, and another when the server has closed it', async () => {
    const of = httpCheck({ path: '/ok', expectBody: { regex: '"connection":(\\d+)' } })
    const target = of.locate({ address: at(host, plain), host, port: plain })
    const once = async (): Promise<ProbeResult> =>
      of.probe(target, {
        signal: AbortSignal.timeout(2000),
        timeoutMs: 2000,
        clock: systemClock,
        state: 'up',
      })
    const bytes = (result: ProbeResult): unknown => result.evidence?.['bodyBytes']
    const results: ProbeResult[] = []
    for (let i = 0; i < 12; i++) results.push(await once())
    for (const result of results) expect(result).toMatchObject({ outcome: 'ok' })
    // The number of the request on its connection has two digits from the tenth on.
    expect(bytes(results[11]!)).toBe((bytes(results[0]!) as number) + 1)
    // nginx closes a kept connection after a second; the check must not mind.
    const closing = Promise.withResolvers<void>()
    setTimeout(closing.resolve, 1300)
    await closing.promise
    const after = await once()
    expect(after).toMatchObject({ outcome: 'ok' })
    expect(bytes(after)).toBe(bytes(results[0]!))
    of.forget?.(target)
  })

  it('verifies a certificate where it was told so', async () => {
    const tls = { servername: 'check.test', verify: true }
    const right = await probe(
      httpCheck({ path: '/ok', tls: { ...tls, ca: trust.ca } }),
      host,
      secure,
    )
    expect(right).toMatchObject({
      outcome: 'ok',
      evidence: { status: 200, tlsVersion: 'TLSv1.3', certificateTrusted: true },
    })
    const wrong = await probe(
      httpCheck({ path: '/ok', tls: { ...tls, ca: stranger.ca } }),
      host,
      secure,
    )
    expect(wrong).toMatchObject({
      outcome: 'fail',
      reason: expect.stringMatching(/certificate of .* is not valid/) as string,
    })
    const other = { ca: trust.ca, verify: true, servername: 'other.test' }
    expect(await probe(httpCheck({ path: '/ok', tls: other }), host, secure)).toMatchObject({
      outcome: 'fail',
    })
    expect(await probe(httpCheck({ path: '/ok', tls: true }), host, secure)).toMatchObject({
      outcome: 'ok',
      evidence: { certificateTrusted: false },
    })
  })

  it('speaks HTTP/2 where it was told so', async () => {
    const tls = { servername: 'check.test', verify: true, ca: trust.ca }
    const result = await probe(httpCheck({ path: '/ok', version: '2', tls }), host, h2)
    expect(result).toMatchObject({ outcome: 'ok', evidence: { alpn: 'h2' } })
    expect(await probe(httpCheck({ path: '/ok', version: '2', tls }), host, secure)).toMatchObject({
      outcome: 'fail',
      reason: expect.stringMatching(/speaks none of h2|no application protocol/) as string,
    })
  })

  it('says what is wrong with what is no HTTPS', async () => {
    expect(await probe(httpCheck({ path: '/ok', tls: true }), host, plain)).toMatchObject({
      outcome: 'fail',
      reason: expect.stringMatching(/TLS handshake with .* failed/) as string,
    })
    // nginx answers plain HTTP on a TLS port with 400.
    expect(await probe(httpCheck({ path: '/ok' }), host, secure)).toMatchObject({
      outcome: 'fail',
      reason: expect.stringMatching(/answered 400/) as string,
    })
  })

  describe('TLS checks', () => {
    it('tell when the certificate expires', async () => {
      const result = await probe(tlsCheck({ servername: 'check.test' }), host, expiring)
      expect(result).toMatchObject({
        outcome: 'ok',
        reason: expect.stringMatching(/certificate expires in 4 days/) as string,
        evidence: { certificateDaysLeft: 4, certificateExpiring: true, tlsVersion: 'TLSv1.3' },
      })
      const later = await probe(tlsCheck({ servername: 'check.test' }), host, secure)
      expect(later).toMatchObject({
        outcome: 'ok',
        evidence: { certificateDaysLeft: 364, certificateExpiring: false },
      })
      expect(later.reason).not.toMatch(/expires/)
    })

    it('talk inside the session', async () => {
      const steps = [{ send: 'HEAD /ok HTTP/1.0\r\n\r\n', expect: 'HTTP/1.1 200' }]
      const tls = { servername: 'check.test', verify: true, ca: trust.ca }
      expect(await probe(tlsCheck({ ...tls, steps }), host, secure)).toMatchObject({
        outcome: 'ok',
      })
      const wrong = [{ send: 'HEAD /gone HTTP/1.0\r\n\r\n', expect: 'HTTP/1.1 200' }]
      expect(await probe(tlsCheck({ ...tls, steps: wrong }), host, secure)).toMatchObject({
        outcome: 'fail',
        reason: expect.stringMatching(/HTTP\/1\.1 410 Gone/) as string,
      })
    })

    it('offer protocols and insist on one', async () => {
      expect(await probe(tlsCheck({ alpn: ['h2'] }), host, h2)).toMatchObject({
        outcome: 'ok',
        evidence: { alpn: 'h2' },
      })
      expect(await probe(tlsCheck({ alpn: ['h2'] }), host, secure)).toMatchObject({
        outcome: 'fail',
      })
    })
  })
})

suiteWith('UDP checks of a DNS server', ['unbound'], () => {
  it('tell a server that answers from one that answers wrongly, and from a closed port', async () => {
    await using home = await folder()
    const host = ownAddress()
    const port = await freePort(host)
    await using server = await unbound(home, 'server-a', host, port)
    const send = { hex: txtQuery('whoami.lab.test', 0x1234).toString('hex') }
    const asking = (options: object): Check =>
      udpCheck({ mode: 'reply', send, timeout: 500, ...options } as never)
    expect(
      await probe(asking({ expect: { hex: '1234 8580 0001 0001' } }), host, port),
    ).toMatchObject({
      outcome: 'ok',
    })
    expect(await probe(asking({ expect: { regex: 'server-a$' } }), host, port)).toMatchObject({
      outcome: 'ok',
    })
    expect(await probe(asking({ expect: { hex: '1234 8583' } }), host, port)).toMatchObject({
      outcome: 'fail',
      reason: expect.stringMatching(/gave a wrong answer: expected 0x12348583/) as string,
    })
    const quiet = udpCheck({ mode: 'no-icmp-error', timeout: 200 })
    expect(await probe(quiet, host, port)).toMatchObject({ outcome: 'ok' })
    await server.kill()
    for (const of of [asking({}), quiet]) {
      expect(await probe(of, host, port)).toMatchObject({
        outcome: 'fail',
        definite: true,
        reason: expect.stringMatching(/unreachable \(ICMP\)/) as string,
      })
    }
  })
})

suiteWith('checks of Redis', ['redis-server', 'redis-cli'], () => {
  it('hold a conversation, and see a server that hangs', async () => {
    const host = ownAddress()
    const port = await freePort(host)
    await using server = await redis(host, port)
    const steps = [
      { send: 'SET health yes\r\n', expect: '+OK\r\n' },
      { send: 'GET health\r\n', expect: /^\$3\r\nyes\r\n/ },
      { send: 'QUIT\r\n', expect: '+OK' },
    ]
    expect(await probe(tcpCheck({ steps }), host, port)).toMatchObject({ outcome: 'ok' })
    const loading = tcpCheck({
      steps: [{ send: 'INFO persistence\r\n', expect: /loading:1/ }],
      timeout: 300,
    })
    expect(await probe(loading, host, port)).toMatchObject({ outcome: 'fail' })
    // Its kernel still accepts while it sleeps: only the conversation can tell.
    process.kill(server.pid, 'SIGSTOP')
    try {
      const alive = tcpCheck({ steps: [{ send: 'PING\r\n', expect: '+PONG' }], timeout: 300 })
      expect(await probe(tcpCheck({ timeout: 300 }), host, port)).toMatchObject({ outcome: 'ok' })
      expect(await probe(alive, host, port)).toMatchObject({
        outcome: 'fail',
        reason: expect.stringMatching(/did not answer within 300ms: expected "\+PONG"/) as string,
      })
    } finally {
      process.kill(server.pid, 'SIGCONT')
    }
  })

  it('by redis-cli in a script decide by its exit code, and die with their children', async () => {
    const host = ownAddress()
    const port = await freePort(host)
    await using server = await redis(host, port)
    await using home = await folder()
    const script = await home.write(
      'check.sh',
      `test "$(${path('redis-cli')} -h "$STEELYARD_ADDRESS" -p "$STEELYARD_PORT" ECHO "$WORD")" = steelyard || { echo "says no"; exit 3; }
echo "well at $STEELYARD_TARGET, was $STEELYARD_STATE"
`,
    )
    const asking = (word: string): Check =>
      scriptCheck({ command: '/bin/sh', args: [script], env: { WORD: word }, timeout: '2s' })
    expect(await probe(asking('steelyard'), host, port)).toEqual({
      outcome: 'ok',
      reason: `well at ${at(host, port)}, was unknown`,
      evidence: { exitCode: 0 },
    })
    expect(await probe(asking('other'), host, port)).toMatchObject({
      outcome: 'fail',
      reason: expect.stringMatching(/says no \(exit code 3\)/) as string,
    })
    const tail = path('tail')
    const hanging = scriptCheck({
      command: '/bin/sh',
      args: ['-c', `${tail} -f /dev/null & echo $! > ${home.at('pid')}; wait`],
      timeout: 300,
    })
    const late = await probe(hanging, host, port)
    expect(late).toMatchObject({
      outcome: 'fail',
      reason: expect.stringMatching(/did not end within 300ms and was killed/) as string,
    })
    const child = Number(readFileSync(home.at('pid'), 'utf8'))
    await eventually(() => String(isRunning(child)), /false/)
    await server.kill()
    expect(await probe(asking('steelyard'), host, port)).toMatchObject({ outcome: 'fail' })
  })

  it('are made once for all pools that ask the same, and tell all of them', async () => {
    const host = ownAddress()
    const port = await freePort(host)
    await using server = await redis(host, port)
    using monitor = healthMonitor({ firstRound: '50ms' })
    const alive = (): Check =>
      tcpCheck({
        monitor,
        steps: [{ send: 'PING\r\n', expect: '+PONG' }],
        every: '100ms',
        timeout: '100ms',
        fall: 2,
        rise: 2,
      })
    const member = { id: 'r', address: at(host, port) }
    const pools = ['one', 'two', 'three'].map((name) =>
      pool({ name, backends: [member], check: alive() }),
    )
    const uses = pools.map((group) => group.use())
    await Promise.all(pools.map((group) => becomes(group, 'r', 'up')))
    expect(monitor.stats.targets).toBe(1)
    const before = await server.info('total_connections_received')
    const checks = monitor.stats.checks
    const downs = pools.map((group) => becomes(group, 'r', 'down'))
    // Each check is one connection, and so is each question of ours.
    const after = await server.info('total_connections_received')
    expect(after - before).toBeLessThanOrEqual(monitor.stats.checks - checks + 2)
    await server.kill()
    for (const reason of await Promise.all(downs)) expect(reason).toMatch(/refused/)
    const ups = pools.map((group) => becomes(group, 'r', 'up'))
    await server.revive()
    await Promise.all(ups)
    for (const use of uses) use[Symbol.dispose]()
  })
})
