import { readFile } from 'node:fs/promises'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { pool } from '@steelyard/core'
import { httpCheck } from '@steelyard/health'
import { always, forward, path as pathIs, respond, route } from '@steelyard/l7'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { becomes } from './becomes.ts'
import { type Daemon, daemon } from './daemon.ts'
import { type Folder, folder } from './folder.ts'
import { httpServing } from './http-serving.ts'
import { keepAliveClients } from './keep-alive-clients.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { suiteWith } from './needs.ts'
import { type Authority, authority, type Issued } from './peers/authority.ts'

const program = fileURLToPath(new URL('lab/http-member.ts', import.meta.url))

/** A member in a process of its own. */
interface Member extends AsyncDisposable {
  readonly id: string
  readonly address: string
  kill(): Promise<void>
  revive(): Promise<void>
  /** What POST has brought it, in all its lives. */
  posted(): Promise<string[]>
}

async function member(home: Folder, id: string): Promise<Member> {
  const host = ownAddress()
  const port = await freePort(host)
  const file = home.at(`${id}-${port}.posted`)
  let process: Daemon
  const self: Member = {
    ...{ id, address: at(host, port) },
    kill: () => process.kill('SIGKILL'),
    async revive() {
      process = await daemon(globalThis.process.execPath, [program, host, String(port), file], {
        ready: /ready/,
      })
    },
    posted: async () => (await readFile(file, 'utf8')).split('\n').filter((line) => line !== ''),
    [Symbol.asyncDispose]: () => process.kill('SIGKILL'),
  }
  await self.revive()
  return self
}

suiteWith('200 clients on kept connections', ['openssl'], () => {
  let home: Folder
  let trust: Authority
  let [first, second] = [] as unknown as [Issued, Issued]
  const members: Member[] = []

  beforeAll(async () => {
    home = await folder()
    trust = await authority(home)
    first = await trust.issue('first', ['DNS:edge.test', 'DNS:first.test'])
    second = await trust.issue('second', ['DNS:edge.test', 'DNS:second.test'])
    for (const id of ['a', 'b', 'c']) members.push(await member(home, id))
  })

  afterAll(async () => {
    for (const one of members) await one[Symbol.asyncDispose]()
    await home?.[Symbol.asyncDispose]()
  })

  const [gets, posts] = [150, 50]

  /** Names in the certificate that a new client is shown. */
  function shown(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', ca: trust.ca, servername: 'edge.test' })
      socket.on('error', reject)
      socket.on('secureConnect', () => {
        resolve(socket.getPeerCertificate().subjectaltname ?? '')
        socket.destroy()
      })
    })
  }

  it('lose nothing that could be saved while members die and return, options and certificates change, and all ends', async () => {
    const check = httpCheck({ path: '/health', every: '300ms', timeout: '300ms', rise: 2, fall: 3 })
    const group = pool({
      backends: members.map(({ id, address }) => ({ id, address })),
      check,
    })
    await using serving = await httpServing(
      group,
      { retries: 2 },
      { tls: { certificates: [first] }, drain: '10s' },
    )
    for (const { id } of members) await becomes(group, id, 'up')
    const load = keepAliveClients({ port: serving.port, ca: trust.ca, gets, posts })
    await load.answers(2000)
    expect(load.failures).toEqual([])

    // 1. Members are killed and come back.
    for (const victim of members.slice(0, 2)) {
      const before = load.failures.length
      const killedAt = performance.now()
      const down = becomes(group, victim.id, 'down')
      await victim.kill()
      await down
      await load.answers(3000)
      const failed = load.failures.slice(before)
      expect(failed.filter(({ method }) => method === 'GET')).toEqual([])
      // What was on its way to the victim, or was given to it before its connections were seen to be gone.
      expect(failed.length).toBeLessThanOrEqual(posts)
      for (const { why, sentAt } of failed) {
        expect(why).toMatch(/^HTTP\/1\.1 502 /)
        expect(sentAt).toBeLessThan(killedAt + 1000)
      }
      const up = becomes(group, victim.id, 'up')
      await victim.revive()
      await up
      const served = serving.served.length
      await load.answers(1500)
      expect(serving.served.slice(served).some(({ backend }) => backend === victim.id)).toBe(true)
    }
    const ofKills = load.failures.length

    // 2. Options and certificates change.
    expect(await shown(serving.port)).toContain('first.test')
    serving.balancer.reconfigure({
      tls: { certificates: [second] },
      routes: [
        route(pathIs('/new'), respond(204)),
        route(always, forward(group, { retries: 2, timeouts: { firstByte: '20s' } })),
      ],
    })
    expect(await shown(serving.port)).toContain('second.test')
    await load.answers(1500)
    group.edit('c', { state: 'draining' })
    await load.answers(1500)
    group.set(members.slice(0, 2).map(({ id, address }) => ({ id, address })))
    await load.answers(1500)
    group.set(members.map(({ id, address }) => ({ id, address })))
    await load.answers(1500)
    expect(load.failures.slice(ofKills)).toEqual([])
    // Nobody had to connect anew for any of it.
    expect(load.connections).toBe(gets + posts)
    expect(load.ends).toEqual({ told: 0, idle: 0, reset: 0, 'in answer': 0 })

    // 3. It drains under load.
    const over = load.over()
    await serving.balancer.stop()
    await over
    const { told = 0, idle = 0 } = load.ends
    expect(load.ends).toMatchObject({ reset: 0, 'in answer': 0 })
    expect(told + idle).toBe(gets + posts)
    const unanswered = load.failures.slice(ofKills)
    // Idle connections get a last moment, so that no request crosses their end.
    expect(unanswered).toEqual([])

    // 4. What members say of it.
    const heard = (await Promise.all(members.map((one) => one.posted()))).flat()
    expect(new Set(heard).size).toBe(heard.length)
    const known = new Set(heard)
    expect([...load.posted].filter((id) => !known.has(id))).toEqual([])
    expect(known.size).toBeLessThanOrEqual(load.posted.size + ofKills)
    process.stdout.write(
      `${load.answered} answers, ${ofKills} POSTs cut with their member, at the end ${told} told, ${idle} idle\n`,
    )
  })
})
