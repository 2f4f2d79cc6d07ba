import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { NodeStatus } from '../../src/admin/status.ts'
import { type Backend, backend } from './backend.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { holdConnection } from './held-connection.ts'
import { ask, load } from './load.ts'
import { startNode } from './node.ts'
import { run, steelyard } from './steelyard.ts'

function document(port: number, backends: readonly Backend[], weight = 1): string {
  return `version: 1
node: { name: lb-a, drain: 5s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: cache
    vip: 127.0.0.1
    listeners: [{ name: redis, protocol: tcp, port: ${port}, pool: redis }]
pools:
  - name: redis
    members:
${backends.map(({ name, address }) => `      - { id: ${name}, address: "${address}", weight: ${weight} }`).join('\n')}
`
}

describe('commands against a running node', () => {
  test('plan says what would change and changes nothing; apply does it', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    const [port, other] = [await freePort(), await freePort()]
    await using node = await startNode(document(port, [a]))
    const next = join(node.folder, 'next.yaml')
    await writeFile(
      next,
      `${document(port, [a, b], 3)}  - { name: spare, members: [127.0.0.1:9] }\n`
        .replace('ADMIN', node.admin)
        .replace(
          'pool: redis }]',
          `pool: redis }, { name: extra, protocol: tcp, port: ${other}, pool: spare }]`,
        ),
    )
    const plan = await node.cli('plan', next)
    expect(plan).toMatchObject({ code: 0, err: '' })
    const expected = [
      '+ pool spare  1 member, round-robin, no check',
      '~ pool redis',
      '    member a weight 1 → 3',
      `    member b added (address ${b.address}, weight 3)`,
      `+ listener cache/extra  tcp 127.0.0.1:${other} → spare`,
    ]
    for (const line of expected) expect(plan.out.split('\n')).toContain(line)
    expect(plan.out).toMatch(/\nPlan: 2 to add, 1 to change, 0 to remove; .*\n$/)
    expect((await node.status()).pools).toHaveLength(1)

    const json = await node.cli('plan', '--json', next)
    expect(json).toMatchObject({ code: 0, err: '' })
    const { ok, steps } = JSON.parse(json.out) as { ok: boolean; steps: { name: string }[] }
    expect(ok).toBe(true)
    expect(steps.map(({ name }) => name)).toEqual(['spare', 'redis', 'cache/extra'])
    // The same without a node, from two documents.
    const offline = await run('plan', '--against', node.file, next)
    expect(offline).toEqual(plan)

    const apply = await node.cli('apply', next)
    expect(apply).toMatchObject({ code: 0, err: '' })
    expect(apply.out).toBe(
      `${plan.out}${next}: applied; a reload of the node goes back to its own file\n`,
    )
    expect((await node.status()).pools.map(({ name }) => name)).toEqual(['redis', 'spare'])
    expect((await node.cli('plan', next)).out).toMatch(/^No changes/)
    const back = await node.reload()
    expect(back.pools.map(({ name }) => name)).toEqual(['redis'])
  })

  test('plan and apply refuse a bad document as check does, and the node stays as it is', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using node = await startNode(document(port, [a]))
    const bad = join(node.folder, 'bad.yaml')
    await writeFile(bad, document(port, [a], -1).replace('ADMIN', node.admin))
    for (const command of ['plan', 'apply'] as const) {
      const { code, out, err } = await node.cli(command, bad)
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toMatch(/^\S*bad\.yaml:11:\d+: error\[out-of-range\]/)
      expect(err).toMatch(/bad\.yaml: 1 error; nothing (?:would be|was) changed\n$/)
    }
    const missing = await node.cli('apply', join(node.folder, 'nowhere.yaml'))
    expect(missing).toMatchObject({ code: 2, out: '' })
    expect(missing.err).toMatch(/^cannot read .*nowhere\.yaml: .*\n$/)
    expect((await node.status()).config).toMatchObject({
      generation: 1,
      refused: expect.any(String) as string,
    })
  })

  test('apply in part: what fails is named, what was left out too, and the exit code says so', async () => {
    await using a = await backend('a')
    const [port, taken] = [await freePort(), await freePort()]
    await using squatter = await startNode(document(taken, [a]))
    expect((await squatter.status()).quarantined).toEqual([])
    await using node = await startNode(document(port, [a]))
    const part = join(node.folder, 'part.yaml')
    await writeFile(
      part,
      document(port, [a])
        .replace('ADMIN', node.admin)
        .replace(
          'pool: redis }]',
          `pool: redis }, { name: taken, protocol: tcp, port: ${taken}, pool: redis }, { name: lost, protocol: tcp, port: 1, pool: nobody }]`,
        ),
    )
    const { code, out, err } = await node.cli('apply', part)
    expect(code).toBe(1)
    expect(err).toContain('error[unknown-pool]')
    expect(out).toMatch(/^! listener cache\/lost \(line 7\) left out: .*nobody/m)
    expect(err).toMatch(/^! failed: listener cache\/taken .*in use/m)
    expect(err).toMatch(/part\.yaml: applied in part\n$/)
    expect(await ask(port)).toBe('a')
  })

  test('status is a table or JSON', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    const port = await freePort()
    await using node = await startNode(document(port, [a, b]))
    using held = await holdConnection(port)
    const owner = await held.ask()
    const [table, json] = [await node.cli('status'), await node.cli('status', '-o', 'json')]
    expect(table).toMatchObject({ code: 0, err: '' })
    expect(table.out).not.toContain('\u001b')
    expect(table.out).toMatch(/^steelyard lb-a {2}running {2}up \d+s · configuration 1 · /)
    expect(table.out).toMatch(
      new RegExp(`^ {2}redis +tcp +127\\.0\\.0\\.1:${port} +redis +1 +1 +5 B +2 B$`, 'm'),
    )
    const address = owner === 'a' ? a.address : b.address
    expect(table.out).toMatch(
      new RegExp(`^ {2}${owner} ${address} +● up +1 +1 +1 +0 +\\d+s +no check is configured$`, 'm'),
    )
    expect(json).toMatchObject({ code: 0, err: '' })
    expect((JSON.parse(json.out) as NodeStatus).pools[0]!.members).toHaveLength(2)
    expect((await node.cli('status', '-o', 'xml')).code).toBe(2)
  })

  test('status -w goes on until it is interrupted, over a restart of the node too', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using node = await startNode(document(port, [a]))
    const watching = steelyard(['status', '-w', '--admin', node.admin])
    const pages = (): number => watching.out.match(/^steelyard lb-a/gm)?.length ?? 0
    try {
      await eventually('there are two pages', () => pages() >= 2)
      await node.stop()
      await eventually('it says that nobody answers', () =>
        /no steelyard answers/.test(watching.out),
      )
      const before = pages()
      await using again = await startNode(document(port, [a]), { admin: node.admin })
      await eventually('it goes on', () => pages() > before)
      watching.child.kill('SIGINT')
      expect(await watching.ended).toBe(0)
      expect(watching.err).toBe('')
      expect(await again.ask('/readyz')).toMatchObject({ status: 200 })
    } finally {
      watching.child.kill('SIGKILL')
      await watching.ended
    }
  })

  test('drain counts down and ends when the member is empty; undrain lets it in again', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    const port = await freePort()
    await using node = await startNode(document(port, [a, b]))
    const held = await Promise.all(Array.from({ length: 4 }, () => holdConnection(port)))
    const owners = await Promise.all(held.map((one) => one.ask()))
    const [first, second] = held.filter((_, index) => owners[index] === 'a')
    await using traffic = load(port, { clients: 20 })

    const draining = steelyard(['drain', 'redis/a', '--admin', node.admin])
    await eventually('it counts', () => draining.out.includes('2 connections left'))
    traffic.reset()
    await traffic.more(100)
    expect(traffic.answers.has('a')).toBe(false)
    first!.socket.end()
    await eventually('it counts down', () => draining.out.includes('1 connection left'))
    second!.socket.end()
    expect(await draining.ended).toBe(0)
    const lines = draining.out.trimEnd().split('\n')
    expect(lines.slice(-3)).toEqual([
      'redis/a is draining, 1 connection left',
      'redis/a is draining, 0 connections left',
      'redis/a is drained; "steelyard undrain redis/a" lets it in again',
    ])
    expect((await node.cli('status')).out).toMatch(/◐ draining \(by hand\)/)

    expect(await node.cli('undrain', 'redis/a')).toEqual({
      code: 0,
      out: 'redis/a is enabled with weight 1\n',
      err: '',
    })
    traffic.reset()
    await traffic.more(100)
    expect(traffic.answers.get('a')).toBeGreaterThan(20)
    await traffic.stop()
    expect(traffic.failures).toEqual([])
    for (const one of held) one[Symbol.dispose]()
  })

  test('drain --timeout says how long there is, and then cuts', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using node = await startNode(document(port, [a]))
    using held = await holdConnection(port)
    expect(await held.ask()).toBe('a')
    const before = performance.now()
    const { code, out, err } = await node.cli('drain', 'redis/a', '--timeout', '1500ms')
    expect({ code, err }, out).toEqual({ code: 0, err: '' })
    expect(out.split('\n')).toEqual([
      'redis/a is draining, 1 connection left, cut in 2s',
      'redis/a is draining, 1 connection left, cut in 1s',
      // The last look may come just before the cut.
      ...(out.includes('cut in 0s') ? ['redis/a is draining, 1 connection left, cut in 0s'] : []),
      'redis/a is draining, 0 connections left',
      'redis/a is drained; "steelyard undrain redis/a" lets it in again',
      '',
    ])
    expect(await held.closed).toBe('ECONNRESET')
    expect(performance.now() - before).toBeGreaterThanOrEqual(1400)
  })

  test('an undrain in time calls off the cut, and tells whoever waits', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using node = await startNode(document(port, [a]))
    using held = await holdConnection(port)
    await held.ask()
    const draining = steelyard(['drain', 'redis/a', '--timeout', '1s', '--admin', node.admin])
    await eventually('it counts', () => draining.out.includes('1 connection left'))
    expect((await node.ask('/pools/redis/members/a', { method: 'DELETE' })).status).toBe(200)
    expect(await draining.ended).toBe(1)
    expect(draining.err).toBe('redis/a was let in again meanwhile\n')
    // A second drain has a deadline of its own, which the first one does not cut short.
    const started = performance.now()
    const again = await node.cli('drain', 'redis/a', '--timeout', '2s')
    expect(again.code).toBe(0)
    expect(performance.now() - started).toBeGreaterThanOrEqual(1900)
    expect(await held.closed).toBe('ECONNRESET')
  })

  test('a weight by hand is in force over reloads until undrain', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    const port = await freePort()
    await using node = await startNode(document(port, [a, b]))
    expect(await node.cli('weight', 'redis/a', '4')).toEqual({
      code: 0,
      out: 'redis/a has weight 4; "steelyard undrain redis/a" undoes it\n',
      err: '',
    })
    expect(await node.member('redis', 'a')).toMatchObject({
      weight: 4,
      configuredWeight: 1,
      override: { weight: 4 },
    })
    await node.reload(document(port, [a, b], 2))
    expect(await node.member('redis', 'a')).toMatchObject({ weight: 4, configuredWeight: 2 })
    expect(await node.member('redis', 'b')).toMatchObject({ weight: 2, configuredWeight: 2 })
    expect((await node.cli('status')).out).toMatch(/ a .*\(by hand\) +4\/2 /)
    const answers: string[] = []
    for (let turn = 0; turn < 12; turn++) answers.push(await ask(port))
    expect(answers.filter((name) => name === 'a')).toHaveLength(8)
    expect((await node.cli('undrain', 'redis/a')).out).toBe('redis/a is enabled with weight 2\n')
    const restored = await node.member('redis', 'a')
    expect(restored).toMatchObject({ weight: 2 })
    expect(restored).not.toHaveProperty('override')
  })

  test('what cannot be done is said in one line', async () => {
    await using a = await backend('a')
    const [port, nobody] = [await freePort(), await freePort()]
    await using node = await startNode(document(port, [a]))
    const oneLine = async (code: number, text: RegExp, ...args: string[]): Promise<void> => {
      const ran = await run(...args)
      expect(ran, args.join(' ')).toMatchObject({ code, out: '' })
      expect(ran.err, args.join(' ')).toMatch(text)
      expect(ran.err.split('\n'), args.join(' ')).toHaveLength(2)
    }
    const admin = ['--admin', node.admin]
    const away = ['--admin', `127.0.0.1:${nobody}`]
    await Promise.all([
      oneLine(
        2,
        /^steelyard: no steelyard answers at 127\.0\.0\.1:\d+ .*ECONNREFUSED/,
        'status',
        ...away,
      ),
      oneLine(
        2,
        /no steelyard answers at unix:.*ENOENT/,
        'status',
        '--admin',
        'unix:/nowhere/admin.sock',
      ),
      oneLine(2, /no steelyard answers/, 'plan', node.file, ...away),
      oneLine(2, /no steelyard answers/, 'drain', 'redis/a', ...away),
      oneLine(2, /no steelyard answers/, 'weight', 'redis/a', '1', ...away),
    ])
    await Promise.all([
      oneLine(2, /no-port|"elsewhere"/, 'status', '--admin', 'elsewhere'),
      oneLine(2, /"redis" names no member: write POOL\/MEMBER/, 'drain', 'redis', ...admin),
      oneLine(2, /"many" is no weight/, 'weight', 'redis/a', 'many', ...admin),
      oneLine(2, /"" is no weight/, 'weight', 'redis/a', '', ...admin),
      oneLine(2, /"soon" is not a duration/, 'drain', 'redis/a', '--timeout', 'soon', ...admin),
      oneLine(1, /no pool "rediss"; there are redis/, 'drain', 'rediss/a', ...admin),
      oneLine(1, /no member "z"; it has a/, 'undrain', 'redis/z', ...admin),
    ])
    // Somebody else's HTTP server, here a backend of sorts.
    await oneLine(2, /no steelyard/, 'status', '--admin', a.address)
  })
})
