import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkManifests, isInstalled } from '../setup/install.mjs'
import { withLock } from '../setup/lock.mjs'
import { ownNode } from '../setup/node.mjs'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'steelyard-setup-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('the setup lock', () => {
  it('lets one run in at a time', async () => {
    const file = join(folder, 'lock')
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      inside += 1
      most = Math.max(most, inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
    }
    await Promise.all(Array.from({ length: 5 }, () => withLock(file, work)))
    expect(most).toBe(1)
    expect(existsSync(file)).toBe(false)
  })

  it('is let go when the work fails', async () => {
    const file = join(folder, 'lock')
    await expect(withLock(file, () => Promise.reject(new Error('broken')))).rejects.toThrow(
      'broken',
    )
    expect(existsSync(file)).toBe(false)
  })

  it('is taken over from a run that died', async () => {
    const file = join(folder, 'lock')
    const dead = spawn(process.execPath, ['-e', ''])
    await once(dead, 'exit')
    writeFileSync(file, `${dead.pid} ${hostname()} token\n`)
    const held = await withLock(file, () => Promise.resolve(readFileSync(file, 'utf8')))
    expect(held.startsWith(`${process.pid} `)).toBe(true)
  })

  it('is respected while its holder lives, and the wait has an end', async () => {
    const file = join(folder, 'lock')
    writeFileSync(file, `${process.pid} ${hostname()} token\n`)
    const waiting = withLock(file, () => Promise.resolve('in'), { patienceMs: 0 })
    await expect(waiting).rejects.toThrow(/holds .* for too long/)
    expect(readFileSync(file, 'utf8')).toContain('token')
  })
})

describe('what is installed', () => {
  const locked = {
    '': { devDependencies: { a: '1.0.0' } },
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/b': { version: '2.0.0', integrity: 'sha512-b', optional: true, os: ['none'] },
  }

  function record(packages: object): void {
    mkdirSync(join(folder, 'node_modules'), { recursive: true })
    writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }))
  }

  it('is as locked when all but optional packages are there', () => {
    record({ 'node_modules/a': locked['node_modules/a'] })
    expect(isInstalled(folder, locked)).toBe(true)
  })

  it.each([
    ['another version', { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } }],
    ['another content', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' } }],
    ['nothing', {}],
    ['one too many', { ...locked, 'node_modules/c': { version: '1.0.0' } }],
    ['the binary of another system', locked],
  ])('is not as locked with %s', (_, packages) => {
    record(packages)
    expect(isInstalled(folder, locked)).toBe(false)
  })

  it('is not as locked when an installation broke off', () => {
    mkdirSync(join(folder, 'node_modules'))
    expect(isInstalled(folder, locked)).toBe(false)
  })

  it('needs a lockfile that knows what package.json wants', () => {
    writeFileSync(join(folder, 'package.json'), '{"devDependencies":{"a":"1.0.0"}}')
    expect(() => checkManifests(folder, locked)).not.toThrow()
    writeFileSync(join(folder, 'package.json'), '{"devDependencies":{"a":"1.1.0"}}')
    expect(() => checkManifests(folder, locked)).toThrow(/does not know "a".*npm install/)
  })
})

describe("the repository's Node", () => {
  function bring(name: string, script: string): string {
    const file = join(folder, 'node_modules', name, 'bin', 'node')
    mkdirSync(join(folder, 'node_modules', name, 'bin'), { recursive: true })
    writeFileSync(file, script, { mode: 0o755 })
    return file
  }

  it('is the one of the platform package', () => {
    const file = bring('node-os-cpu', '#!/bin/sh\nexit 0\n')
    expect(ownNode(folder, { platform: 'os-cpu' })).toBe(file)
  })

  it('is the running one when none fits or the one that came does not run', () => {
    expect(ownNode(folder, { platform: 'os-cpu', version: '22.19.0' })).toBe(process.execPath)
    bring('node-os-cpu', '#!/bin/sh\nexit 1\n')
    expect(ownNode(folder, { platform: 'os-cpu', version: '24.0.0' })).toBe(process.execPath)
  })

  it.each(['20.20.2', '22.18.9'])('is asked for when the running one is %s', (version) => {
    expect(() => ownNode(folder, { platform: 'os-cpu', version })).toThrow(
      `no Node.js for os-cpu comes with the repository, and the one in use is ${version}; install Node.js 22.19 or later`,
    )
  })
})

describe('a child in our place', () => {
  const wrapper = `
    import { runChild } from ${JSON.stringify(new URL('../setup/child.mjs', import.meta.url).href)}
    const { code, stoppedBy } = await runChild(process.execPath, ['-e', process.argv[1]])
    console.log('ended', code, stoppedBy)
    process.exitCode = code
  `

  function start(script: string): ChildProcess {
    return spawn(process.execPath, ['--input-type=module', '-e', wrapper, script])
  }

  async function outputOf(child: ChildProcess, until: string): Promise<string> {
    let text = ''
    child.stdout?.setEncoding('utf8')
    for await (const chunk of child.stdout ?? []) {
      text += chunk
      if (text.includes(until)) break
    }
    return text
  }

  it('gives its exit code', async () => {
    const child = start('process.exit(7)')
    const [code] = await once(child, 'exit')
    expect(code).toBe(7)
  })

  it('gives 128 and the signal when one killed it', async () => {
    const child = start('process.kill(process.pid, "SIGKILL")')
    const [code] = await once(child, 'exit')
    expect(code).toBe(137)
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'hears of %s and may end in its own way',
    async (signal) => {
      const child = start(
        `process.on('${signal}', () => process.exit(3)); setInterval(() => {}, 1000); console.log('ready')`,
      )
      const exit = once(child, 'exit')
      await outputOf(child, 'ready')
      child.kill(signal)
      expect(await exit).toEqual([3, null])
    },
  )
})
