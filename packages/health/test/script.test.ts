import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CheckedAddress, type CheckedPeer, checkerSuite } from '@steelyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ProbeResult, scriptCheck } from '../src/index.ts'
import { probe } from './peers.ts'

const target: CheckedAddress = Object.freeze({
  address: '10.0.0.3:80',
  host: '10.0.0.3',
  port: 80,
})
const shell = (text: string, ...args: string[]): Promise<ProbeResult> =>
  probe(scriptCheck({ command: '/bin/sh', args: ['-c', text, 'check', ...args] }), target)
const at = (port: number): Promise<CheckedPeer> =>
  Promise.resolve({ ...target, address: `10.0.0.3:${port}`, port, close() {} })

checkerSuite('scriptCheck', {
  makeCheck: () =>
    scriptCheck({
      command: '/bin/sh',
      args: [
        '-c',
        'case $STEELYARD_PORT in 80) echo fine;; 81) echo sick at $STEELYARD_TARGET; exit 3;; *) sleep 60 & wait;; esac',
      ],
    }),
  well: () => at(80),
  unwell: () => at(81),
  silent: () => at(82),
})

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** A killed process stays in the table until its parent, here the system's first, has read its end. */
async function isGone(pid: number): Promise<boolean> {
  for (let turn = 0; turn < 10_000; turn++) {
    if (!isAlive(pid)) return true
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    if (stat === '' || /\) Z /.test(stat)) return true
    await new Promise((resolve) => setImmediate(resolve))
  }
  return false
}

describe('scriptCheck', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'check-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('passes by exit code 0, and the last line is the reason', async () => {
    expect(await shell('echo starting; echo "lag 3 ms"; echo')).toEqual({
      outcome: 'ok',
      reason: 'lag 3 ms',
      evidence: { exitCode: 0 },
    })
    expect((await shell('exit 0')).reason).toBe('/bin/sh says that 10.0.0.3:80 is well')
  })

  it('fails by any other code', async () => {
    expect(await shell('echo replication stopped >&2; exit 2')).toEqual({
      outcome: 'fail',
      reason: 'replication stopped (exit code 2)',
      evidence: { exitCode: 2 },
      definite: true,
    })
    expect((await shell('exit 7')).reason).toBe('/bin/sh (exit code 7)')
    expect(await shell('kill -9 $$')).toMatchObject({
      outcome: 'fail',
      reason: '/bin/sh was killed by SIGKILL',
      evidence: { signal: 'SIGKILL' },
    })
  })

  it('hands its arguments over untouched by any shell', async () => {
    const script = join(folder, 'args')
    await writeFile(script, '#!/bin/sh\nprintf "%s|" "$@"\n')
    await chmod(script, 0o755)
    const args = ['$HOME', '; echo no', '`id`', 'a b', '*']
    const result = await probe(scriptCheck({ command: script, args }), target)
    expect(result.reason).toBe('$HOME|; echo no|`id`|a b|*|')
  })

  it('gives exactly the documented environment', async () => {
    const file = join(folder, 'env')
    const check = scriptCheck({
      command: process.execPath,
      args: ['-e', `fs.writeFileSync(${JSON.stringify(file)}, JSON.stringify(process.env))`],
      env: { LAG: '5' },
    })
    await probe(check, target, undefined, { state: 'down', timeoutMs: 1500 })
    const env = JSON.parse(await readFile(file, 'utf8')) as unknown
    expect(env).toEqual({
      PATH: process.env['PATH'],
      STEELYARD_TARGET: '10.0.0.3:80',
      STEELYARD_ADDRESS: '10.0.0.3',
      STEELYARD_PORT: '80',
      STEELYARD_STATE: 'down',
      STEELYARD_TIMEOUT_MS: '1500',
      LAG: '5',
    })
  })

  it('kills all of the group when the time is up, grandchildren too', async () => {
    const pids = join(folder, 'pids')
    const ready = join(folder, 'ready')
    const time = new AbortController()
    const check = scriptCheck({
      command: '/bin/sh',
      args: [
        '-c',
        // A child and a grandchild that would hold on, and that ignore polite signals.
        `trap "" TERM INT HUP; sh -c 'trap "" TERM; sleep 300 & echo $! >> ${pids}; wait' & echo $! >> ${pids}; echo $$ >> ${pids}; while [ $(wc -l < ${pids}) -lt 3 ]; do :; done; touch ${ready}; wait`,
      ],
    })
    const result = probe(check, target, time.signal)
    for (let done = false; !done; ) {
      done = await readFile(ready).then(
        () => true,
        () => false,
      )
    }
    const numbers = (await readFile(pids, 'utf8')).trim().split('\n').map(Number)
    expect(numbers.filter(isAlive)).toHaveLength(3)
    time.abort()
    expect(await result).toMatchObject({
      outcome: 'fail',
      reason: '/bin/sh did not end within 5000ms and was killed',
    })
    expect(await Promise.all(numbers.map(isGone))).toEqual([true, true, true])
  })

  it('does not wait for what a script leaves behind with its output open, and kills it', async () => {
    const pidFile = join(folder, 'left')
    const result = await shell(`sleep 300 & echo $! > ${pidFile}; echo fine`)
    expect(result).toMatchObject({ outcome: 'ok', reason: 'fine' })
    expect(await isGone(Number(await readFile(pidFile, 'utf8')))).toBe(true)
  })

  it('keeps only the end of what is said, without control characters', async () => {
    const result = await shell(
      'i=0; while [ $i -lt 20000 ]; do echo "line $i, and some more of it"; i=$((i+1)); done; printf "\\033[31mred\\033[0m"',
    )
    expect(result.reason).toBe('[31mred [0m')
    expect((await shell('head -c 100000 /dev/zero | tr "\\0" x')).reason.length).toBe(200)
  })

  it('does not blame the target when the program can not be started', async () => {
    const result = await probe(scriptCheck({ command: join(folder, 'none') }), target)
    expect(result.outcome).toBe('inconclusive')
    expect(result.reason).toContain('could not be started: spawn')
  })

  it.each([
    [{ command: '' }, 'scriptCheck.command: needs the path or name of a program'],
    [{ command: './check' }, 'scriptCheck.command: "./check" depends on the current directory'],
    [{ command: 'x', args: ['a\0b'] }, 'scriptCheck.args[0]: must be text without a zero byte'],
    [{ command: 'x', env: { 'A=B': '1' } }, 'scriptCheck.env.A=B: is not a variable'],
  ])('refuses %j', (options, message) => {
    expect(() => scriptCheck(options)).toThrow(message)
  })
})
