import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { Agent, get } from 'node:https'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { type HttpBackend, httpBackend } from './http-backend.ts'
import { askH2 } from './http-clients.ts'
import { keepAliveLoad } from './keep-alive-load.ts'
import { startNode } from './node.ts'

const vectors = new URL('../../../../packages/l4/test/vectors/tls/', import.meta.url)
const vector = (name: string): string => readFileSync(new URL(name, vectors), 'utf8')
const ca = vector('ca.pem')

/** A document with one HTTP listener; `listener` and `pools` are put in as they are. */
function document(port: number, listener: string, pools: string): string {
  return `version: 1
node: { name: hot, drain: 5s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
      - name: web
        protocol: http
        port: ${port}
${listener}
pools:
${pools}
`
}

function poolsOf(...backends: readonly HttpBackend[]): string {
  return backends
    .map(
      ({ name, address }) =>
        `  - { name: ${name}, members: [{ id: ${name}, address: "${address}" }] }`,
    )
    .join('\n')
}

async function answer(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly text: string; readonly headers: Headers }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers, redirect: 'manual' })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

describe('a reload of an HTTP listener', () => {
  test('changes rules under load, on open connections too, and loses nothing', async () => {
    await using old = await httpBackend('old')
    await using fresh = await httpBackend('fresh')
    const port = await freePort()
    const text = (pool: string, extra = ''): string =>
      document(
        port,
        `        pool: old
        filters: { rateLimit: { limit: 1000000, window: 1m, headers: none } }
        rules:
          - { name: shift, match: { path: /shift/* }, pool: ${pool}${extra} }`,
        poolsOf(old, fresh),
      )
    await using node = await startNode(text('old'))
    const load = keepAliveLoad(port, { clients: 50, path: '/shift/x' })
    await eventually('all clients ask', () => load.done > 200)
    expect([...load.answers.keys()]).toEqual(['old'])
    const plan = await (async () => {
      await node.write(text('fresh', ', headers: { response: { set: { x-new: "1" } } }'))
      return node.cli('plan', node.file)
    })()
    expect(plan.out).toContain('rule shift: pool old → fresh')
    const status = await node.reload()
    expect(status.quarantined).toEqual([])
    load.reset()
    await eventually('all clients ask again', () => load.done > 300)
    // What was on its way at the reload may still come from the old one.
    expect([...load.answers.keys()].filter((name) => name !== 'old')).toEqual(['fresh'])
    load.reset()
    await eventually('all clients ask again', () => load.done > 300)
    await load.stop()
    expect([...load.answers.keys()]).toEqual(['fresh'])
    expect(load.lost).toEqual([])
    // No connection was given up for it.
    expect(load.connections).toBe(50)
    expect((await answer(port, '/shift/x')).headers.get('x-new')).toBe('1')
  })

  test('replaces a certificate under load: new connections see it, open ones go on', async () => {
    await using backend = await httpBackend('app')
    const port = await freePort()
    const text = document(
      port,
      '        pool: app\n        tls: { certificates: [{ cert: www.pem, key: www.key }] }',
      poolsOf(backend),
    ).replace('protocol: http', 'protocol: https')
    const files = { 'www.pem': vector('a.pem'), 'www.key': vector('a-key.pem') }
    await using node = await startNode(text, { files })
    const lost: string[] = []
    const bits = new Map<number | string, number>()
    let running = true
    const ask = (agent: Agent): Promise<void> =>
      new Promise((resolve) => {
        const outgoing = get(
          {
            host: '127.0.0.1',
            port,
            path: '/x',
            servername: 'a.example',
            ca,
            agent,
            headers: { host: 'a.example' },
          },
          (response) => {
            const { asn1Curve, bits: size = 0 } = (
              response.socket as TLSSocket
            ).getPeerCertificate()
            const kind = asn1Curve ?? size
            bits.set(kind, (bits.get(kind) ?? 0) + 1)
            if (response.statusCode !== 200) lost.push(`status ${response.statusCode}`)
            response.resume().on('end', resolve)
          },
        )
        outgoing.on('error', (error) => {
          lost.push(error.message)
          resolve()
        })
      })
    const kept = new Agent({ keepAlive: true, maxSockets: 10 })
    const client = async (agent: () => Agent): Promise<void> => {
      while (running) await ask(agent())
    }
    // Tickets would resume the session of the certificate that was.
    const brief = (): Agent => new Agent({ keepAlive: false, maxCachedSessions: 0 })
    const loops = [
      ...Array.from({ length: 4 }, () => client(brief)),
      ...Array.from({ length: 10 }, () => client(() => kept)),
    ]
    const seen = (kind: number | string): number => bits.get(kind) ?? 0
    await eventually('clients are served', () => seen('prime256v1') > 50)
    await writeFile(join(node.folder, 'www.pem'), vector('a-rsa.pem'))
    await writeFile(join(node.folder, 'www.key'), vector('a-rsa-key.pem'))
    expect((await node.reload()).quarantined).toEqual([])
    await eventually('the new certificate is shown', () => seen(2048) > 20)
    const before = seen('prime256v1')
    await eventually('open connections go on', () => seen('prime256v1') > before + 50)
    running = false
    await Promise.all(loops)
    kept.destroy()
    expect(lost).toEqual([])
  })

  test('takes up other error pages, by status, class and what clients accept', async () => {
    await using backend = await httpBackend('app')
    const port = await freePort()
    const listener = `        rules:
          - { name: app, match: { path: /app/* }, pool: app, rewrite: { prefix: / } }
          - { name: off, match: { path: /off }, maintenance: { retryAfter: 10m, file: off.html } }
        errorPages:
          "404": { html: "<h1>nothing here</h1>", json: '{"error":"%{reason}"}' }
          5xx: { file: busy.html, replaceBackend: true }`
    await using node = await startNode(document(port, listener, poolsOf(backend)), {
      files: { 'busy.html': '<h1>busy</h1>', 'off.html': '<h1>closed à midi</h1>' },
    })
    const missing = await answer(port, '/nowhere', { accept: 'text/html' })
    expect([missing.status, missing.text]).toEqual([404, '<h1>nothing here</h1>'])
    const json = await answer(port, '/nowhere', { accept: 'application/json' })
    expect(JSON.parse(json.text)).toEqual({ error: 'Not Found' })
    expect(await answer(port, '/off')).toMatchObject({
      status: 503,
      text: '<h1>closed à midi</h1>',
    })
    expect((await answer(port, '/off')).headers.get('retry-after')).toBe('600')
    expect(await answer(port, '/app/status/502')).toMatchObject({
      status: 502,
      text: '<h1>busy</h1>',
    })
    expect((await answer(port, '/app/x')).status).toBe(200)
    await writeFile(join(node.folder, 'busy.html'), '<h1>very busy</h1>')
    await node.reload()
    expect((await answer(port, '/app/status/502')).text).toBe('<h1>very busy</h1>')
  })

  test('leaves a rule out that cannot be, by name, and the rest serves', async () => {
    await using backend = await httpBackend('app')
    const port = await freePort()
    const rules = (...lines: string[]): string =>
      document(
        port,
        `        pool: app\n        rules:\n${lines.map((line) => `          - ${line}`).join('\n')}`,
        poolsOf(backend),
      )
    const good = '{ name: good, match: { path: /good }, respond: { status: 200, body: good } }'
    const inner =
      '{ name: inner, match: { path: /inner/* }, pool: app, filters: { ipAccess: { allow: [127.0.0.0/8] } } }'
    await using node = await startNode(
      rules(
        '{ name: lost, match: { path: /lost/* }, pool: nobody }',
        '{ name: twice, match: { path: /twice }, pool: app, rewrite: { path: /x, regex: { pattern: a, replace: b } } }',
        '{ name: odd, match: { path: { regex: "(" } }, pool: app }',
        good,
        inner,
      ),
    )
    const first = await node.status()
    expect(
      first.quarantined.map(({ kind, name, kept }) => `${kind} ${name} ${kept}`).sort(),
    ).toEqual(['rule lb/web/lost false', 'rule lb/web/odd false', 'rule lb/web/twice false'])
    expect(first.quarantined[0]!.reason).toBe('there is no pool "nobody"')
    expect((await answer(port, '/good')).text).toBe('good')
    expect((await answer(port, '/other')).status).toBe(200)
    // What was meant for them goes to nobody else.
    expect((await answer(port, '/lost/x')).status).toBe(503)
    expect((await answer(port, '/twice')).status).toBe(503)
    const { code, out } = await node.cli('explain', `GET http://127.0.0.1:${port}/lost/x`)
    expect(code).toBe(0)
    expect(out).toContain('503: left out')

    // A rule that ran well runs on when its new form cannot be.
    const broken = await node.reload(
      rules(good.replace('respond: { status: 200, body: good }', 'pool: nobody'), inner),
    )
    expect(broken.quarantined).toMatchObject([{ kind: 'rule', name: 'lb/web/good', kept: true }])
    expect((await answer(port, '/good')).text).toBe('good')

    // A guard without its condition would open what it guards: the listener stays as it is.
    const open = await node.reload(
      rules(good, inner.replace('path: /inner/*', 'path: { regex: "(" }')),
    )
    expect(open.quarantined).toMatchObject([{ kind: 'listener', name: 'lb/web', kept: true }])
    expect(open.quarantined[0]!.path).toBe('loadBalancers[0].listeners[0]')
    expect((await answer(port, '/inner/x')).status).toBe(200)
    expect((await node.reload(rules(good, inner))).quarantined).toEqual([])
  })
})

describe('an HTTP listener among others', () => {
  test('shares its pool with a TCP listener, and gives its port to another protocol', async () => {
    await using app = await httpBackend('app')
    const [port, raw] = [await freePort(), await freePort()]
    const text = (protocol: string): string =>
      document(
        port,
        `        pool: app
      - { name: raw, protocol: tcp, port: ${raw}, pool: app }`,
        poolsOf(app),
      ).replace('protocol: http', `protocol: ${protocol}`)
    await using node = await startNode(text('http'))
    const load = keepAliveLoad(raw, { clients: 5, path: '/x', pauseMs: 10 })
    expect((await answer(port, '/x')).status).toBe(200)
    expect((await answer(raw, '/x')).status).toBe(200)
    await eventually(
      'five are on it by TCP',
      async () => (await node.member('app', 'app')).active >= 5,
    )
    // One pool: a drain is for both, and what is open goes on.
    expect((await node.cli('drain', 'app/app', '--no-wait')).code).toBe(0)
    expect((await answer(port, '/x')).status).toBe(503)
    await node.cli('undrain', 'app/app')
    expect((await answer(port, '/x')).status).toBe(200)
    expect(
      (await askH2(`http://127.0.0.1:${port}`, '/x').catch(() => undefined))?.status,
    ).toBeUndefined()
    const status = await node.reload(text('h2c'))
    expect(status.quarantined).toEqual([])
    expect((await askH2(`http://127.0.0.1:${port}`, '/x')).status).toBe(200)
    expect((await answer(port, '/x')).status).toBe(200)
    await load.stop()
    expect(load.lost).toEqual([])
    expect(load.connections).toBe(5)
  })
})

describe('200 clients that keep their connections', () => {
  test('lose no request to killed members, reloads, drains and the stop of the node', async () => {
    const backends = await Promise.all(['a', 'b', 'c', 'd'].map((name) => httpBackend(name)))
    const [a, , c] = backends as [HttpBackend, HttpBackend, HttpBackend, HttpBackend]
    try {
      const port = await freePort()
      const text = (algorithm: string): string =>
        document(
          port,
          `        pool: app
        retries: { attempts: 3, on: [connect, reset] }
        rules:
          - { name: ${algorithm}, match: { path: /x }, pool: app, headers: { response: { set: { x-by: ${algorithm} } } } }`,
          `  - name: app
    algorithm: ${algorithm}
    members:
${backends.map(({ name, address }) => `      - { id: ${name}, address: "${address}" }`).join('\n')}
    health: { type: http, path: /healthz, interval: 200ms, timeout: 150ms, rise: 1, fall: 2 }`,
        )
      await using node = await startNode(text('round-robin'))
      await eventually('all members are up', async () =>
        (await node.status()).pools[0]!.members.every(({ condition }) => condition === 'up'),
      )
      const load = keepAliveLoad(port, { clients: 200, path: '/x', pauseMs: 200 })
      const more = async (count: number): Promise<void> => {
        const goal = load.done + count
        await eventually(`${count} more requests`, () => load.done >= goal, { withinMs: 15_000 })
      }
      await more(400)
      a.kill()
      await more(600)
      const names = new Set(load.answers.keys())
      expect(names).toEqual(new Set(['a', 'b', 'c', 'd']))
      await node.reload(text('least-connections'))
      await more(400)
      await a.revive()
      await eventually('it is back', async () => (await node.member('app', 'a')).condition === 'up')
      const drained = await node.cli('drain', 'app/b', '--timeout', '3s')
      expect(drained.code, drained.err).toBe(0)
      load.reset()
      await more(400)
      expect([...load.answers.keys()].sort()).toEqual(['a', 'c', 'd'])
      c.kill()
      await node.reload(text('round-robin'))
      await more(600)
      expect(load.lost).toEqual([])
      expect(load.connections).toBe(200)
      expect((await node.status()).loadBalancers[0]!.listeners[0]!.stats).toMatchObject({
        statuses: { '5xx': 0, none: 0 },
      })

      // The node itself stops: what it has begun it ends, and then nobody is there any more.
      const served = load.done
      expect(await node.stop()).toBe(0)
      await eventually('nobody answers', () => load.lost.length >= 200)
      await load.stop()
      const reasons = new Set(load.lost.map(({ reason }) => reason.replace(/\d+(\.\d+)*:\d+/, '')))
      expect([...reasons]).toEqual(['connect ECONNREFUSED '])
      expect(load.done).toBeGreaterThanOrEqual(served)
    } finally {
      for (const one of backends) await one[Symbol.asyncDispose]()
    }
  })
})
