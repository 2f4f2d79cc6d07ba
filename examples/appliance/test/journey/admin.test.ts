import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { backend } from './backend.ts'
import { datagramBackend, datagramClient } from './datagrams.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { ask } from './load.ts'
import { parseMetrics, valueOf } from './metrics-text.ts'
import { askAdmin, startNode } from './node.ts'

const execute = promisify(execFile)

function document(port: number, member: string, more = ''): string {
  return `version: 1
node: { name: watched }
admin: { listen: "ADMIN"${more} }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
      - { name: web, protocol: tcp, port: ${port}, pool: web }
      - { name: dns, protocol: udp, port: ${port}, pool: dns }
pools:
  - name: web
    members: [{ id: one, address: "${member}" }, { id: two, address: "127.0.0.1:9", weight: 0 }]
    health: { type: tcp, interval: 300ms, rise: 1, fall: 1 }
    persistence: { type: source-ip }
  - { name: dns, members: [127.0.0.1:9] }
addressPools: [{ name: local, addresses: [127.0.9.1-127.0.9.4] }]
`
}

describe('the admin endpoint', () => {
  test('tells how the node is', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using node = await startNode(document(port, a.address))
    await eventually('the check has spoken', async () => {
      return (await node.member('web', 'one')).condition === 'up'
    })
    expect(await ask(port)).toBe('a')

    expect(await node.ask('/healthz')).toMatchObject({ status: 200, text: 'ok\n' })
    expect(await node.ask('/readyz')).toMatchObject({ status: 200, text: 'ready\n' })
    const head = await node.ask('/status', { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, text: '' })
    const answer = await node.ask('/status?pretty')
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    expect(answer.json()).toEqual({
      node: 'watched',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      pid: node.process.child.pid,
      startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
      uptimeMs: expect.any(Number) as number,
      state: 'running',
      config: {
        file: node.file,
        generation: 1,
        appliedAt: expect.stringMatching(/Z$/) as string,
      },
      transport: 'node',
      latenessMs: expect.any(Number) as number,
      loadBalancers: [
        {
          name: 'lb',
          vip: '127.0.0.1',
          listeners: [
            {
              name: 'web',
              protocol: 'tcp',
              address: `127.0.0.1:${port}`,
              pool: 'web',
              state: 'running',
              stats: expect.objectContaining({
                accepted: 1,
                retries: 0,
                acceptFailures: 0,
              }) as object,
            },
            {
              name: 'dns',
              protocol: 'udp',
              address: `127.0.0.1:${port}`,
              pool: 'dns',
              state: 'running',
              stats: expect.objectContaining({ sessions: 0, dropped: {} }) as object,
            },
          ],
        },
      ],
      pools: [
        {
          name: 'web',
          algorithm: 'round-robin',
          available: true,
          queued: 0,
          persistence: { entries: 1 },
          members: [
            {
              id: 'one',
              address: a.address,
              condition: 'up',
              reason: expect.stringContaining('succeeded') as string,
              since: expect.stringMatching(/Z$/) as string,
              weight: 1,
              configuredWeight: 1,
              backup: false,
              active: expect.any(Number) as number,
              total: 1,
              failures: 0,
              evidence: expect.any(Object) as object,
            },
            expect.objectContaining({ id: 'two', weight: 0, total: 0 }),
          ],
        },
        expect.objectContaining({ name: 'dns', available: true }),
      ],
      addressPools: [
        {
          name: 'local',
          size: '4',
          used: 0,
          exhausted: false,
          disabled: false,
          assignments: {},
        },
      ],
      quarantined: [],
    })
  })

  test('metrics are in the form that Prometheus asks for, and tell what happened', async () => {
    await using a = await backend('a')
    await using dns = await datagramBackend('dns')
    const port = await freePort()
    await using node = await startNode(
      document(port, a.address).replace('[127.0.0.1:9]', `["${dns.address}"]`),
    )
    for (let turn = 0; turn < 3; turn++) await ask(port)
    using client = await datagramClient(port)
    expect(await client.ask('hello')).toBeDefined()
    const answer = await node.ask('/metrics')
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    const families = parseMetrics(answer.text)
    const listener = { listener: 'lb/web' }
    expect(valueOf(families, 'steelyard_l4_accepted_total', listener)).toBe(3)
    expect(
      valueOf(families, 'steelyard_l4_bytes_total', { ...listener, direction: 'from-client' }),
    ).toBe(15)
    expect(
      valueOf(families, 'steelyard_member_connections_total', { pool: 'web', member: 'one' }),
    ).toBe(3)
    expect(valueOf(families, 'steelyard_l4_udp_sessions', { listener: 'lb/dns' })).toBe(1)
    expect(valueOf(families, 'steelyard_ready')).toBe(1)
    expect(valueOf(families, 'steelyard_config_generation')).toBe(1)
    expect(valueOf(families, 'process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
    // Labels come from the document and from fixed words, never from clients.
    const known = new Set([
      'listener',
      'pool',
      'member',
      'reason',
      'direction',
      'result',
      'node',
      'version',
    ])
    const labels = families.flatMap(({ samples }) =>
      samples.flatMap((one) => Object.keys(one.labels)),
    )
    expect([...new Set(labels)].filter((label) => !known.has(label))).toEqual([])
    await expectPromtoolAgrees(answer.text)
  })

  test('answers while it starts, and with an empty document', async () => {
    await using a = await backend('a')
    const many = Array.from(
      { length: 300 },
      (_, index) =>
        `      - { name: l${index}, protocol: tcp, listen: "unix:FOLDER/${index}", pool: web }`,
    )
    await using node = await startNode(
      `version: 1
node: { name: slow }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    listeners:
${many.join('\n')}
pools: [{ name: web, members: ["${a.address}"] }]
`,
      { impatient: true },
    )
    const seen: number[] = []
    await eventually('it is ready', async () => {
      const ready = await node.ask('/readyz').catch(() => undefined)
      if (ready === undefined) return false
      seen.push(ready.status)
      if (ready.status === 503) expect(ready.text).toBe('not ready\nthe node is starting\n')
      const metrics = await node.ask('/metrics')
      const families = parseMetrics(metrics.text)
      expect(valueOf(families, 'steelyard_build_info')).toBe(1)
      expect(['starting', 'running']).toContain((await node.status()).state)
      return ready.status === 200
    })
    // Ready once, ready for good.
    expect(seen.lastIndexOf(503)).toBeLessThan(seen.indexOf(200))
    expect((await node.status()).loadBalancers[0]!.listeners).toHaveLength(300)

    const empty = await node.reload(
      'version: 1\nnode: { name: empty }\nadmin: { listen: "ADMIN" }\n',
    )
    expect(empty).toMatchObject({ node: 'empty', loadBalancers: [], pools: [], quarantined: [] })
    expect(await node.ask('/readyz')).toMatchObject({ status: 200 })
    parseMetrics((await node.ask('/metrics')).text)
    expect((await node.cli('status')).out).toMatch(/^steelyard empty {2}running {2}up \d+s · .*\n$/)
  })

  test('is no way in for web pages, by whatever name they call it', async () => {
    await using a = await backend('a')
    const [port, admin] = [await freePort(), `127.0.0.1:${await freePort()}`]
    await using node = await startNode(document(port, a.address), { admin })
    const withHost = async (host: string): Promise<number> =>
      (await askAdmin(admin, '/status', { headers: { host } })).status
    for (const host of [admin, 'localhost', 'localhost:9901', '127.0.0.1', '[::1]:9901']) {
      expect(await withHost(host), host).toBe(200)
    }
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:80']) {
      expect(await withHost(host), host).toBe(403)
    }
    expect(await garbage(admin, 'GET /status HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /)
    const drain = { method: 'POST', body: '{"state":"draining"}' }
    const fromPage = await node.ask('/pools/web/members/one', {
      ...drain,
      headers: { origin: 'http://localhost:9901' },
    })
    expect(fromPage).toMatchObject({ status: 403 })
    expect(fromPage.json()).toMatchObject({ code: 'forbidden' })
    expect((await node.member('web', 'one')).override).toBeUndefined()
    // Without the name and the origin of a page the same is done.
    expect(await node.ask('/pools/web/members/one', drain)).toMatchObject({ status: 200 })
  })

  test('says what is wrong with a request', async () => {
    await using a = await backend('a')
    await using node = await startNode(document(await freePort(), a.address))
    const post = async (path: string, body: string | Buffer): Promise<[number, unknown]> => {
      const answer = await node.ask(path, { method: 'POST', body })
      return [answer.status, answer.json()]
    }
    const member = '/pools/web/members/one'
    const invalid = { code: 'invalid-body' }
    expect(await post(member, 'state=draining')).toMatchObject([400, invalid])
    expect(await post(member, '')).toMatchObject([400, invalid])
    expect(await post(member, '[]')).toMatchObject([400, invalid])
    expect(await post(member, 'null')).toMatchObject([400, invalid])
    expect(await post(member, '{}')).toMatchObject([400, invalid])
    expect(await post(member, '{"wieght":1}')).toMatchObject([400, invalid])
    expect(await post(member, '{"state":"gone"}')).toMatchObject([400, invalid])
    for (const weight of ['-1', '65536', '1.5', '"7"', 'null']) {
      expect(await post(member, `{"weight":${weight}}`)).toMatchObject([400, invalid])
    }
    expect(await post(member, '{"cutAfter":"5s"}')).toMatchObject([400, invalid])
    expect(await post(member, '{"state":"draining","cutAfter":"soon"}')).toMatchObject([
      400,
      { code: 'invalid-option', message: expect.stringContaining('soon') as string },
    ])
    expect(await post('/pools/wbe/members/one', '{"weight":1}')).toMatchObject([
      404,
      { code: 'no-such-pool', message: expect.stringContaining('web, dns') as string },
    ])
    expect(await post('/pools/web/members/three', '{"weight":1}')).toMatchObject([
      404,
      { code: 'no-such-backend', message: expect.stringContaining('one, two') as string },
    ])
    expect((await node.ask('/pools/web/members/three', { method: 'DELETE' })).status).toBe(404)
    expect(await post('/pools/%zz/members/one', '{"weight":1}')).toMatchObject([
      400,
      { code: 'invalid-path' },
    ])
    expect(await post('/apply', Buffer.alloc(5 * 1024 ** 2, 35))).toMatchObject([
      413,
      { code: 'too-large' },
    ])
    expect(await post('/apply', Buffer.from([0xff, 0xfe, 0x31]))).toMatchObject([
      422,
      { findings: [{ code: 'document-not-utf8' }] },
    ])
    expect(await post('/plan', 'version: 2')).toMatchObject([422, { findings: [{ line: 1 }, {}] }])

    const unknown = await node.ask('/stauts')
    expect(unknown.status).toBe(404)
    expect(unknown.text).toContain('GET /status')
    const wrongMethod = await node.ask('/status', { method: 'POST' })
    expect(wrongMethod).toMatchObject({ status: 405 })
    expect(wrongMethod.headers['allow']).toBe('GET')
    expect(await node.ask('/../../etc/passwd')).toMatchObject({ status: 404 })
    expect(await garbage(node.admin, 'GARBAGE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    // And after all that it is as well as before.
    expect(await node.member('web', 'one')).not.toHaveProperty('override')
    expect(node.process.log).not.toContain('admin request failed')
  })

  test('read only means read only, and takes effect by a reload', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using node = await startNode(document(port, a.address, ', readOnly: true'))
    for (const path of ['/healthz', '/readyz', '/status', '/metrics']) {
      expect((await node.ask(path)).status).toBe(200)
    }
    const change = { method: 'POST', body: '{"weight":5}' }
    for (const [path, question] of [
      ['/pools/web/members/one', change],
      ['/pools/web/members/one', { method: 'DELETE' }],
      ['/plan', { method: 'POST', body: 'version: 1' }],
      ['/apply', { method: 'POST', body: 'version: 1' }],
    ] as const) {
      const answer = await node.ask(path, question)
      expect(answer.status).toBe(403)
      expect(answer.json()).toMatchObject({ code: 'read-only' })
    }
    const drain = await node.cli('drain', 'web/one')
    expect(drain).toMatchObject({ code: 1, out: '' })
    expect(drain.err).toMatch(/read only/)
    await node.reload(document(port, a.address))
    expect((await node.ask('/pools/web/members/one', change)).status).toBe(200)
  })

  test('a unix socket is for its owner and group only', async () => {
    await using a = await backend('a')
    await using node = await startNode(document(await freePort(), a.address))
    const { mode } = await stat(node.admin.slice('unix:'.length))
    expect((mode & 0o777).toString(8)).toBe('660')
  })

  test('moves to another address by a reload; where that is taken it stays, and says so', async () => {
    await using a = await backend('a')
    const [port, taken, free] = [await freePort(), await freePort(), await freePort()]
    await using squatter = await startNode(document(await freePort(), a.address), {
      admin: `127.0.0.1:${taken}`,
    })
    expect(await squatter.ask('/readyz')).toMatchObject({ status: 200 })
    const text = document(port, a.address)
    await using node = await startNode(text)
    const stayed = await node.reload(text.replace('ADMIN', `127.0.0.1:${taken}`))
    expect(stayed.quarantined).toMatchObject([{ kind: 'admin', kept: true }])
    expect(stayed.quarantined[0]!.reason).toMatch(/EADDRINUSE/)
    expect(await node.ask('/readyz')).toMatchObject({ status: 200 })

    await node.write(text.replace('ADMIN', `127.0.0.1:${free}`))
    node.process.child.kill('SIGHUP')
    await eventually('it answers at the new place', async () => {
      const found = await askAdmin(`127.0.0.1:${free}`, '/readyz').catch(() => undefined)
      return found?.text === 'ready\n'
    })
    await eventually('the old place is closed', () =>
      node.ask('/readyz').then(
        () => false,
        () => true,
      ),
    )
    await expect(stat(node.admin.slice('unix:'.length))).rejects.toThrow(/ENOENT/)
  })
})

/** Sends bytes as they are, and gives what comes back. */
function garbage(admin: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const at = admin.startsWith('unix:')
      ? { path: admin.slice('unix:'.length) }
      : { host: '127.0.0.1', port: Number(admin.split(':')[1]) }
    const socket = connect(at, () => socket.write(bytes))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}

async function expectPromtoolAgrees(text: string): Promise<void> {
  try {
    await execute('promtool', ['--version'])
  } catch {
    console.warn('promtool is not installed: only our own parser has judged the metrics')
    return
  }
  const running = execute('promtool', ['check', 'metrics'])
  running.child.stdin?.end(text)
  // It exits with 1 or 3 and names the series when it has anything to say.
  const { stdout, stderr } = await running
  expect(`${stdout}${stderr}`).toBe('')
}
