import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream, readdirSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pool } from '@steelyard/core'
import { tcpCheck } from '@steelyard/health'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { balancing } from './balancing.ts'
import { becomes } from './becomes.ts'
import { daemon } from './daemon.ts'
import { eventually } from './eventually.ts'
import { type Folder, folder } from './folder.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { nginx } from './peers/nginx.ts'
import { postgres, postgresLacking } from './peers/postgres.ts'
import { type Redis, redis } from './peers/redis.ts'
import { pipelining } from './pipelining.ts'
import { run, said } from './run.ts'

suiteWith(
  'a TCP balancer in front of Redis',
  ['redis-server', 'redis-cli', 'redis-benchmark'],
  () => {
    const servers: Redis[] = []

    beforeAll(async () => {
      for (let i = 0; i < 3; i++) {
        const host = ownAddress()
        servers.push(await redis(host, await freePort(host)))
      }
    })

    afterAll(async () => {
      for (const server of servers) await server[Symbol.asyncDispose]()
    })

    const members = (): { address: string; id: string }[] =>
      servers.map(({ address }, index) => ({ address, id: `redis-${index}` }))

    it('carries pipelined commands of many clients without an error', async () => {
      await using balanced = await balancing({ pool: pool({ backends: members() }) })
      const before = await Promise.all(
        servers.map((server) => server.info('total_commands_processed')),
      )
      const report = await said(path('redis-benchmark'), [
        ...['-h', '127.0.0.1', '-p', String(balanced.port), '-c', '60', '-n', '60000', '-P', '32'],
        ...['-d', '512', '-t', 'set,get', '--csv'],
      ])
      expect(report).toMatch(/^"SET",/m)
      expect(report).toMatch(/^"GET",/m)
      const after = await Promise.all(
        servers.map((server) => server.info('total_commands_processed')),
      )
      const shares = after.map((count, index) => count - before[index]!)
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeGreaterThanOrEqual(120_000)
      // Round robin over connections that all do the same.
      for (const share of shares) expect(share).toBeGreaterThan(10_000)
      const { ended, connectFailures, bytesFromClient } = balanced.balancer.stats()
      expect(
        Object.keys(ended).filter((reason) => reason !== 'closed' && reason !== 'reset'),
      ).toEqual([])
      expect(connectFailures).toBe(0)
      expect(bytesFromClient).toBeGreaterThan(60_000 * 512)
    })

    it('is transparent to redis-cli: large values, transactions, and messages that nobody asked for', async () => {
      await using balanced = await balancing({ pool: pool({ backends: [members()[0]!] }) })
      const cli = (...args: string[]): Promise<string> =>
        said(path('redis-cli'), ['-h', '127.0.0.1', '-p', String(balanced.port), ...args])
      const value = 'steelyard'.repeat(400_000)
      expect(
        await said(path('redis-cli'), ['-p', String(balanced.port), '-x', 'SET', 'large'], {
          input: value,
        }),
      ).toBe('OK\n')
      expect((await cli('GET', 'large')).length).toBe(value.length + 1)
      expect(await cli('STRLEN', 'large')).toBe(`${value.length}\n`)
      await using subscriber = await daemon(path('redis-cli'), [
        ...['-h', '127.0.0.1', '-p', String(balanced.port), 'SUBSCRIBE', 'news'],
      ])
      await subscriber.says(/subscribe\nnews\n1\n/)
      expect(await cli('PUBLISH', 'news', 'the-scale-tips')).toBe('1\n')
      await subscriber.says(/the-scale-tips/)
    })

    it('fails no new connection when one of three is killed under 200 clients, and takes it back', async () => {
      const intervalMs = 100
      const check = tcpCheck({
        steps: [{ send: 'PING\r\n', expect: '+PONG\r\n' }],
        every: intervalMs,
        timeout: 100,
        rise: 2,
        fall: 3,
      })
      const group = pool({ name: 'redis', backends: members(), check })
      await using balanced = await balancing({ pool: group })
      const victim = servers[1]!
      const load = await pipelining(balanced.port, 200)
      await load.answers(2000)
      const down = becomes(group, 'redis-1', 'down')
      const killedAt = performance.now()
      await victim.kill()
      expect(await down).toMatch(/connect to .* refused/)
      const verdictMs = performance.now() - killedAt
      const failedBefore = load.failedConnects
      // n-th consecutive failure, plus jitter, plus what a loaded machine may need.
      expect(verdictMs).toBeLessThan(3 * intervalMs + 1500)
      const broken = load.broken
      await load.answers(4000)
      // About a third were on it. They broke, once each, and nobody broke after the fall time.
      expect(broken).toBeGreaterThanOrEqual(50)
      expect(broken).toBeLessThanOrEqual(80)
      expect(load.broken).toBe(broken)
      expect(load.failedConnects).toBe(failedBefore)
      // Who was being accepted in the moment of the kill; everybody else is connected to another member.
      expect(failedBefore).toBeLessThanOrEqual(2)
      const up = becomes(group, 'redis-1', 'up')
      await victim.revive()
      await up
      const ofVictim = balanced.balancer.connections({ backendId: 'redis-1' })
      const more = await pipelining(balanced.port, 30)
      await more.answers(300)
      expect(balanced.balancer.connections({ backendId: 'redis-1' }) - ofVictim).toBe(10)
      await Promise.all([load.stop(), more.stop()])
      await balanced.ended(broken + failedBefore + 230)
      expect(load.wrong + more.wrong).toBe(0)
      expect(balanced.balancer.stats().active).toBe(0)
    })
  },
)

suiteWith('a TCP balancer in front of memcached', ['memcached'], () => {
  it('brings back every value that it stored, however large', async () => {
    const host = ownAddress()
    const port = await freePort(host)
    await using _server = await daemon(
      path('memcached'),
      ['-u', 'root', '-l', host, '-p', String(port), '-U', '0', '-I', '4m', '-m', '128', '-t', '1'],
      { ready: { host, port }, stopSignal: 'SIGKILL' },
    )
    const check = tcpCheck({
      steps: [{ send: 'version\r\n', expect: /^VERSION 1\./ }],
      every: '50ms',
    })
    const group = pool({ backends: [{ address: at(host, port), id: 'm' }], check })
    await using balanced = await balancing({ pool: group })
    const socket = connect({ port: balanced.port, host: '127.0.0.1' })
    const sizes = [0, 1, 1000, 65_536, 1_000_000, 3_000_000]
    const values = sizes.map((size, index) => Buffer.alloc(size, `${index}value`))
    let stored = ''
    socket.on('data', (bytes: Buffer) => (stored += bytes.toString('latin1')))
    for (const [index, value] of values.entries()) {
      socket.write(`set key${index} 0 0 ${value.length}\r\n`)
      socket.write(value)
      socket.write('\r\n')
    }
    while (stored !== 'STORED\r\n'.repeat(sizes.length)) await once(socket, 'data')
    stored = ''
    socket.write(`get ${sizes.map((_, index) => `key${index}`).join(' ')}\r\nquit\r\n`)
    await once(socket, 'close')
    const expected = values
      .map(
        (value, index) => `VALUE key${index} 0 ${value.length}\r\n${value.toString('latin1')}\r\n`,
      )
      .join('')
    expect(createHash('sha256').update(stored).digest('hex')).toBe(
      createHash('sha256').update(`${expected}END\r\n`).digest('hex'),
    )
    expect(await becomes(group, 'm', 'up')).toMatch(/said what was expected/)
  })
})

suiteWith(
  'a TCP balancer in front of PostgreSQL',
  ['root', 'setpriv', 'psql', 'pgbench'],
  () => {
    let home: Folder
    let server: AsyncDisposable
    let address = ''

    beforeAll(async () => {
      home = await folder()
      const host = ownAddress()
      const port = await freePort(host)
      server = await postgres(home, host, port)
      address = at(host, port)
    })

    afterAll(async () => {
      await server?.[Symbol.asyncDispose]()
      await home?.[Symbol.asyncDispose]()
    })

    it('serves sessions of every length, and is well when it answers an SSLRequest', async () => {
      const check = tcpCheck({
        steps: [{ send: { hex: '00000008 04d2162f' }, expect: /^[NS]/ }],
        every: '100ms',
      })
      const group = pool({ backends: [{ address, id: 'db' }], check })
      await using balanced = await balancing({ pool: group })
      const to = ['-h', '127.0.0.1', '-p', String(balanced.port), '-U', 'postgres']
      const rows = await said(path('psql'), [
        ...to,
        ...[
          '-At',
          '-c',
          "select i, repeat('x', 100) from generate_series(1, 100000) i",
          'postgres',
        ],
      ])
      expect(rows.split('\n')).toHaveLength(100_001)
      await said(path('pgbench'), [...to, '-i', '-s', '1', '-q', 'postgres'])
      const report = await said(path('pgbench'), [
        ...to,
        ...['-c', '8', '-j', '1', '-t', '50', '-C', '-S', '-n', 'postgres'],
      ])
      expect(report).toMatch(/number of transactions actually processed: 400\/400/)
      expect(report).toMatch(/number of failed transactions: 0 /)
      expect(await becomes(group, 'db', 'up')).toMatch(/said what was expected/)
      expect(balanced.balancer.stats()).toMatchObject({ connectFailures: 0 })
    })
  },
  postgresLacking,
)

suiteWith('a TCP balancer in front of nginx', ['nginx', 'wrk', 'curl', 'openssl'], () => {
  const bulkBytes = 256 * 1024 * 1024
  let home: Folder
  const peers: AsyncDisposable[] = []
  const addresses: string[] = []
  let bulkHash = ''

  beforeAll(async () => {
    home = await folder()
    bulkHash = await makeBulk(home.at('bulk'), bulkBytes)
    for (const name of ['a', 'b']) {
      const host = ownAddress()
      const port = await freePort(host)
      addresses.push(at(host, port))
      peers.push(
        await nginx(home, {
          http: `  sendfile on; client_max_body_size 0; keepalive_requests 1000000;
  server {
    listen ${at(host, port)} backlog=1024;
    location = /who { default_type text/plain; return 200 "${name}\\n"; }
    location = /bulk { alias ${home.at('bulk')}; }
    location /upload/ { alias ${home.path}/; dav_methods PUT; }
  }`,
        }),
      )
    }
  })

  afterAll(async () => {
    for (const peer of peers) await peer[Symbol.asyncDispose]()
    await home?.[Symbol.asyncDispose]()
  })

  it('carries wrk on kept connections without one error', async () => {
    await using balanced = await balancing({ pool: pool({ backends: addresses }) })
    const report = await said(path('wrk'), [
      ...['-t', '1', '-c', '64', '-d', '3s', '--timeout', '5s'],
      `http://127.0.0.1:${balanced.port}/who`,
    ])
    expect(report).not.toMatch(/Socket errors|Non-2xx/)
    expect(Number(/(\d+) requests in/.exec(report)?.[1])).toBeGreaterThan(3000)
    const { accepted } = balanced.balancer.stats()
    // wrk looks once whether it can connect at all.
    expect(accepted).toBeLessThanOrEqual(65)
    await balanced.ended(accepted)
    expect(balanced.balancer.stats()).toMatchObject({ active: 0, connectFailures: 0 })
    expect(new Set(balanced.records.map(({ backend }) => backend))).toEqual(new Set(addresses))
  })

  it('carries wrk on short connections without one error, through drain, reload and return', async () => {
    const members = addresses.map((address, index) => ({ id: 'ab'[index]!, address }))
    const group = pool({ backends: members })
    await using balanced = await balancing({ pool: group })
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    const before = descriptors()
    const load = said(path('wrk'), [
      ...['-t', '1', '-c', '32', '-d', '4s', '--timeout', '5s', '-H', 'Connection: close'],
      `http://127.0.0.1:${balanced.port}/who`,
    ])
    const some = (): Promise<void> => balanced.ended(balanced.records.length + 100)
    await some()
    const drained = new Promise<void>((resolve) => {
      group.on('drained', ({ backend }) => backend.id === 'a' && resolve())
    })
    group.edit('a', { state: 'draining' })
    await drained
    const from = balanced.records.length
    await some()
    const whileDrained = balanced.records.slice(from)
    expect(new Set(whileDrained.map(({ backend }) => backend))).toEqual(new Set(['b']))
    group.set([members[0]!])
    await some()
    group.set(members)
    balanced.balancer.reconfigure({ timeouts: { client: '20s' }, retries: 1 })
    await some()
    const report = await load
    expect(report).not.toMatch(/Socket errors|Non-2xx/)
    const { accepted, connectFailures } = balanced.balancer.stats()
    await balanced.ended(accepted)
    expect(accepted).toBeGreaterThan(400)
    expect(connectFailures).toBe(0)
    const unusual = balanced.records.filter(({ reason }) => reason !== 'closed')
    // wrk leaves in the midst of what it has begun when its time is up.
    expect(unusual.length).toBeLessThanOrEqual(32)
    await eventually(() => String(descriptors() <= before + 2), /true/)
  })

  it('brings 256 MiB to curl as they were', async () => {
    await using balanced = await balancing({ pool: pool({ backends: addresses }) })
    const curl = spawn(path('curl'), ['-sS', `http://127.0.0.1:${balanced.port}/bulk`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const hash = createHash('sha256')
    await pipeline(curl.stdout, hash)
    expect(hash.digest('hex')).toBe(bulkHash)
    const { bytesToClient, reason } = await balanced.record()
    expect(reason).toBe('closed')
    expect(bytesToClient).toBeGreaterThan(bulkBytes)
  })

  it('brings 256 MiB from curl as they were', async () => {
    await using balanced = await balancing({ pool: pool({ backends: [addresses[0]!] }) })
    const { code, stderr } = await run(path('curl'), [
      ...['-sS', '-f', '-T', home.at('bulk'), `http://127.0.0.1:${balanced.port}/upload/copy`],
    ])
    expect(`${code} ${stderr}`).toBe('0 ')
    expect((await stat(home.at('copy'))).size).toBe(bulkBytes)
    const hash = createHash('sha256')
    await pipeline(createReadStream(home.at('copy')), hash)
    expect(hash.digest('hex')).toBe(bulkHash)
    expect(await balanced.record()).toMatchObject({ reason: 'closed' })
  })
})

/** Writes a file of bytes that do not repeat; gives their SHA-256. */
async function makeBulk(file: string, bytes: number): Promise<string> {
  const hash = createHash('sha256')
  const block = 1024 * 1024
  async function* blocks(): AsyncGenerator<Buffer> {
    const words = new Uint32Array(block / 4)
    let state = 0x9e37_79b9
    for (let left = bytes; left > 0; left -= block) {
      for (let i = 0; i < words.length; i++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
        words[i] = state
      }
      const bytesNow = Buffer.from(words.buffer.slice(0))
      hash.update(bytesNow)
      yield bytesNow
    }
  }
  await pipeline(Readable.from(blocks()), createWriteStream(file))
  return hash.digest('hex')
}
