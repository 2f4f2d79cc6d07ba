import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { issueDocument } from '../desired/issue-document.ts'
import { backend } from './backend.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { startNode } from './node.ts'

const execute = promisify(execFile)
const deploy = new URL('../../deploy/', import.meta.url)

function document(port: number, member: string): string {
  return `version: 1
node: { name: service, drain: 2s }
admin: { listen: "ADMIN" }
loadBalancers: [{ name: lb, vip: 127.0.0.1, listeners: [{ name: web, protocol: tcp, port: ${port}, pool: web }] }]
pools: [{ name: web, members: ["${member}"] }]
`
}

describe('as a service', () => {
  test('the service manager hears of the start, of each reload and of the stop', async () => {
    await using a = await backend('a')
    const folder = await mkdtemp(join(tmpdir(), 'steelyard-notify-'))
    try {
      // Stands for systemd's own program, which would need a systemd to speak to.
      const program = join(folder, 'systemd-notify')
      const said = join(folder, 'said')
      await writeFile(said, '')
      await writeFile(program, `#!/bin/sh\necho "$@" >> '${said}'\n`)
      await chmod(program, 0o755)
      const lines = async (): Promise<string[]> =>
        (await readFile(said, 'utf8')).split('\n').filter((line) => line !== '')
      await using node = await startNode(document(await freePort(), a.address), {
        env: { NOTIFY_SOCKET: '/nowhere', PATH: `${folder}:${process.env['PATH']}` },
      })
      const pid = `--pid=${node.process.child.pid}`
      const start = `${pid} READY=1 STATUS=running`
      await eventually('it is said to be ready', async () => (await lines()).length === 1)
      expect(await lines()).toEqual([start])
      const before = process.hrtime.bigint() / 1000n
      await node.reload()
      await eventually('the reload was told', async () => (await lines()).length === 3)
      const [, reloading, ready] = await lines()
      const [, usec] = /RELOADING=1 MONOTONIC_USEC=(\d+) STATUS=reloading$/.exec(reloading!) ?? []
      expect(BigInt(usec!)).toBeGreaterThan(before)
      expect(ready).toBe(start)
      // A document that is refused does not leave it in the state of reloading.
      await node.reload('version: 7')
      await eventually('the end of the reload was told', async () => (await lines()).length === 5)
      expect((await lines()).at(-1)).toBe(start)
      expect(await node.stop()).toBe(0)
      expect((await lines()).at(-1)).toBe(`${pid} STOPPING=1 STATUS=draining`)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('a service manager that does not listen is no reason to fail', async () => {
    await using a = await backend('a')
    await using node = await startNode(document(await freePort(), a.address), {
      env: { NOTIFY_SOCKET: '/nowhere/notify.sock', PATH: '/nowhere' },
    })
    await eventually('it says so', () => node.process.log.includes('systemd-notify failed'))
    expect(await node.stop()).toBe(0)
  })

  test('systemd finds nothing wrong with the units', async () => {
    try {
      await execute('systemd-analyze', ['--version'])
    } catch {
      console.warn('systemd is not installed: its units were not verified')
      return
    }
    const folder = await mkdtemp(join(tmpdir(), 'steelyard-units-'))
    try {
      const files = ['steelyard.service', 'steelyard.socket'].map((name) => join(folder, name))
      for (const file of files) {
        const text = await readFile(new URL(file.slice(folder.length + 1), deploy), 'utf8')
        // The command is not installed here, and that is all that may be missing.
        await writeFile(file, text.replace('/usr/local/bin/steelyard', process.execPath))
      }
      const { stdout, stderr } = await execute('systemd-analyze', ['verify', ...files])
      expect(`${stdout}${stderr}`).toBe('')
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('the document in the README is that of the issue', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
    const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(readme) ?? []
    expect(parse(yaml!)).toEqual(parse(issueDocument))
  })
})
