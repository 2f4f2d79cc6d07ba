import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  type Attack,
  attack,
  forbidden,
  guarded,
  seeded,
} from '../packages/l7/test/balancer/smuggling/attacks.ts'
import {
  countOf,
  exchanged,
  type Front,
  front,
  inParallel,
} from '../packages/l7/test/balancer/smuggling/front.ts'
import { daemon } from './daemon.ts'
import { eventually } from './eventually.ts'
import { type Folder, folder } from './folder.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { nginx } from './peers/nginx.ts'

// The bent requests of the unit tests in front of servers that others wrote. Each writes down what it thinks it was
// asked for: as many requests as we sent on, and none of them under a path that was not to be had.

const seed = 50_021
const cases = 600

suiteWith('smuggling past a balancer to servers of others', ['nginx', 'haproxy'], () => {
  let home: Folder

  beforeAll(async () => {
    home = await folder()
  })

  afterAll(async () => {
    await home?.[Symbol.asyncDispose]()
  })

  /** Sends everything. */
  async function attacked(edge: Front, part: number): Promise<void> {
    const all: Attack[] = Array.from({ length: cases }, (_, n) =>
      attack(seeded(seed + part * 100_003 + n), `i${n}`, true),
    )
    await inParallel(all, 16, async (one) => {
      await exchanged(edge.port, one.raw, seeded(one.raw.length))
    })
    expect(edge.passed.filter(({ backendStatus }) => backendStatus === 200).length).toBeGreaterThan(
      cases / 3,
    )
  }

  /** What was asked was sent on by us, as often. */
  function judge(edge: Front, keys: readonly string[]): void {
    const sent = edge.passed.filter(({ attempts }) => attempts > 0)
    const most = countOf(sent.flatMap(({ key, attempts }) => Array<string>(attempts).fill(key)))
    for (const [key, count] of countOf(keys)) {
      expect(count, key).toBeLessThanOrEqual(most.get(key) ?? 0)
    }
  }

  it('is no use against nginx', async () => {
    const host = ownAddress()
    const address = at(host, await freePort(host))
    const log = home.at('smuggling.log')
    await using _server = await nginx(home, {
      // What it matches locations by is written down, not what came: decoded, slashes merged, dots resolved.
      http: `  log_format smuggling escape=json "$request_method $request_uri|$uri|$status|$http_x_user";
  server {
    listen ${address} backlog=1024;
    access_log ${log} smuggling;
    location / { default_type text/plain; return 200 "for $request_uri\\n"; }
  }`,
    })
    await using edge = await front(
      { open: address, guarded: address, blue: address },
      { gate: { mergeSlashes: true } },
    )
    await attacked(edge, 1)
    const read = async (): Promise<string[][]> => (await lines(log)).map((line) => line.split('|'))
    await eventually(async () => unheard(edge, keysOf(await read())), /^$/)
    const seen = await read()
    judge(edge, keysOf(seen))
    expect(seen.filter(([, , status]) => status === '400')).toEqual([])
    for (const [key, uri = '', , user] of seen) {
      expect(uri === forbidden || uri.startsWith(`${forbidden}/`), key).toBe(false)
      if (uri === guarded || uri.startsWith(`${guarded}/`)) expect(user, key).toBe('ann')
    }
  })

  it('is no use against HAProxy', async () => {
    const host = ownAddress()
    const address = at(host, await freePort(host))
    const heard: string[] = []
    const ready = home.at('smuggling.sock')
    const file = await home.write(
      'smuggling.cfg',
      `global
  maxconn 1000
  log stdout format raw local0
defaults
  mode http
  timeout client 10s
  timeout http-keep-alive 10s
frontend ready
  bind ${ready}
frontend origin
  bind ${address}
  log global
  log-format "seen|%HM %HU|%ST|%ts|%[capture.req.hdr(0)]"
  declare capture request len 64
  http-request capture req.fhdr(x-user) id 0
  http-request return status 200 content-type text/plain string "fine"
`,
    )
    await using _server = await daemon(path('haproxy'), ['-db', '-f', file], {
      ready: { path: ready },
      onLine: (line) => {
        if (line.startsWith('seen|')) heard.push(line)
      },
    })
    await using edge = await front({ open: address, guarded: address, blue: address })
    await attacked(edge, 2)
    const read = (): string[][] => heard.map((line) => line.split('|').slice(1))
    await eventually(() => unheard(edge, keysOf(read())), /^$/)
    const seen = read()
    judge(edge, keysOf(seen))
    expect(seen.filter(([, status]) => status !== '200')).toEqual([])
    for (const [key = '', , , user] of seen) {
      const path = key.slice(key.indexOf(' ') + 1).split('?', 1)[0]!
      expect(path === forbidden || path.startsWith(`${forbidden}/`), key).toBe(false)
      if (path === guarded || path.startsWith(`${guarded}/`)) expect(user, key).toBe('ann')
    }
  })
})

async function lines(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
}

function keysOf(seen: readonly (readonly string[])[]): string[] {
  return seen.map(([key = '']) => key)
}

/** What was answered but is not written down yet; what broke off on its way may never be. */
function unheard(edge: Front, keys: readonly string[]): string {
  const heard = countOf(keys)
  const answered = countOf(
    edge.passed.flatMap(({ key, backendStatus }) => (backendStatus > 0 ? [key] : [])),
  )
  return [...answered].flatMap(([key, count]) => (count > (heard.get(key) ?? 0) ? key : [])).join()
}
