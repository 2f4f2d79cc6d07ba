import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { ask } from './load.ts'
import { askAdmin } from './node.ts'
import { type Steelyard, steelyard } from './steelyard.ts'

/** The children of a process, by the system's own books; undefined where it keeps none of the kind. */
function childrenOf(pid: number): number[] | undefined {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((name) => {
        try {
          const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
          return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid
        } catch {
          return false
        }
      })
      .map(Number)
  } catch {
    console.warn('there is no /proc here: that no child process is left was not looked at')
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

interface Demo extends Steelyard, AsyncDisposable {
  /** What it has not removed of its temporary files. */
  left(): string[]
  /** Kills it, if it is not over yet. */
  kill(): Promise<void>
}

/** Starts the demo with a folder of its own for temporary files. */
async function startDemo(...args: string[]): Promise<Demo> {
  const folder = await mkdtemp(join(tmpdir(), 'steelyard-journey-'))
  const demo = steelyard(['demo', ...args], { env: { TMPDIR: folder } })
  const kill = async (): Promise<void> => {
    demo.child.kill('SIGKILL')
    await demo.ended
  }
  // Not a copy: what it has said grows.
  return Object.assign(Object.create(demo) as Steelyard, {
    left: () => readdirSync(folder),
    kill,
    async [Symbol.asyncDispose]() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  })
}

describe('steelyard demo', () => {
  test('--smoke plays the whole story within 30 s, says each step, and exits with 0', async () => {
    const started = performance.now()
    await using demo = await startDemo('--smoke')
    const code = await demo.ended
    const took = performance.now() - started
    const steps = demo.out.trimEnd().split('\n')
    expect(code, demo.log).toBe(0)
    expect(took).toBeLessThan(30_000)
    const expected = [
      /^TCP on 127\.0\.0\.1:\d+, UDP on 127\.0\.0\.1:\d+, HTTP on 127\.0\.0\.1:\d+, admin on 127\.0\.0\.1:\d+$/,
      /^ok {3}all three backends are up$/,
      /^ok {3}traffic reaches everybody: anna \d+, bert \d+, carl \d+$/,
      /^ok {3}datagrams come back: dora \d+$/,
      /^ok {3}anna was killed and is known to be down after \d+ ms$/,
      /^ok {3}meanwhile \d requests of \d+ were lost, all in flight at the kill$/,
      /^ok {3}traffic has moved on, none lost: bert \d+, carl \d+$/,
      /^ok {3}anna is back after \d+ ms and serves: /,
      /^ok {3}\w+ drains: its open connection goes on, new ones go elsewhere: /,
      /^ok {3}\w+ was drained without loss and takes traffic again$/,
      /^ok {3}two hosts behind one HTTP port: (?:emil|fina): GET shop\.localhost\/cart; /,
      /^ok {3}\/old\/offers\?page=2 is redirected: 308 to \/new\/offers\?page=2$/,
      /^ok {3}a header leads to the canary, \/admin is refused \(403\), another host is not known \(404\)$/,
      /^ok {3}explain says the same: rule beta, member hans$/,
      /^ok {3}emil was killed, and no request over HTTP failed: /,
      /^ok {3}emil is back and serves$/,
      /^ok {3}the route table counts: old-shop \d+\.\d\/s p99 [\d.]+ms, shop /,
      /^all of it worked$/,
    ]
    expect(steps).toHaveLength(expected.length)
    expected.forEach((pattern, index) => expect(steps[index]).toMatch(pattern))
    expect(demo.err).toBe('')
    expect(demo.left()).toEqual([])
  })

  test('without a terminal it prints a table; SIGINT ends it, and nothing is left behind', async () => {
    await using demo = await startDemo()
    await eventually('there is a table', () => demo.out.includes('Ctrl-C ends the demo'), {
      withinMs: 15_000,
      state: () => demo.log,
    })
    expect(demo.out).not.toContain('\u001b')
    expect(demo.out).toMatch(/^steelyard demo {2}running {2}up /m)
    const echo = /^ {2}echo +tcp +127\.0\.0\.1:(\d+) /m.exec(demo.out)
    expect(demo.out).toMatch(/^ {2}time +udp +127\.0\.0\.1:\d+ /m)
    expect(demo.out).toMatch(/^ {2}web +http +127\.0\.0\.1:\d+ /m)
    expect(demo.out).toMatch(/^ {2}api +→ api 90, canary 10 /m)
    for (const name of ['anna', 'bert', 'carl', 'dora', 'emil', 'fina', 'gina', 'hans']) {
      expect(demo.out).toMatch(new RegExp(`^ {2}${name} 127\\.0\\.0\\.1:\\d+ `, 'm'))
    }
    // What it says can be done can be done.
    expect(await ask(Number(echo![1]))).toMatch(/^(?:anna|bert|carl): who\?$/)
    const admin = /drain echo\/carl(?: --admin (\S+))?$/m.exec(demo.out)?.[1] ?? '127.0.0.1:9901'
    expect((await askAdmin(admin, '/readyz')).status).toBe(200)

    const children = childrenOf(demo.child.pid!)
    if (children !== undefined) expect(children).toHaveLength(8)
    demo.child.kill('SIGINT')
    expect(await demo.ended).toBe(0)
    expect(demo.out).toMatch(/\nstopping\n$/)
    expect(children?.filter(isAlive) ?? []).toEqual([])
    expect(demo.left()).toEqual([])
  })

  test('its backends do not outlive it, even when it is killed', async () => {
    await using demo = await startDemo()
    await eventually('there is a table', () => demo.out.includes('Ctrl-C ends the demo'), {
      withinMs: 15_000,
    })
    const children = childrenOf(demo.child.pid!) ?? []
    expect(children.filter(isAlive)).toEqual(children)
    await demo.kill()
    await eventually('all of them have ended', () => !children.some(isAlive))
  })
})
