import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { netnsLab, netnsLacking } from '@steelyard/testing'
import { expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { path, suiteWith } from './needs.ts'
import { said } from './run.ts'

const lacking = await netnsLacking()

suiteWith(
  'the lab of network namespaces',
  ['ip', 'nft', 'socat'],
  () => {
    const namespaces = (): Promise<string> => said(path('ip'), ['netns', 'list'])

    it('is a network of its own, and leaves nothing behind', async () => {
      const before = { interfaces: networkInterfaces(), names: await namespaces() }
      const lab = await netnsLab(['one', 'two'])
      const { one, two } = lab.hosts
      const server = spawn('ip', [
        ...two.inside.slice(1),
        'socat',
        'TCP6-LISTEN:7,fork,ipv6-v6only=0',
        'EXEC:cat',
      ])
      server.on('error', () => {})
      await eventually(() => two.run('ss', '-Hltn'), /:7 /)
      for (const address of [two.v4, `[${two.v6}]`]) {
        expect(await one.run('sh', '-c', `echo hello | socat -t 2 - TCP:${address}:7`)).toBe(
          'hello\n',
        )
      }
      const more = await two.addAddress(150)
      expect(more).toEqual({ v4: '192.0.2.150', v6: '2001:db8::150' })
      expect(await one.run('sh', '-c', `echo more | socat -t 2 - TCP:[${more.v6}]:7`)).toBe(
        'more\n',
      )
      expect(networkInterfaces()).toEqual(before.interfaces)
      const ended = once(server, 'exit')
      await lab[Symbol.asyncDispose]()
      // What still ran inside was ended.
      expect(await ended).toEqual([null, 'SIGKILL'])
      expect(await namespaces()).toBe(before.names)
    })

    it('drops, rejects and unplugs', async () => {
      await using lab = await netnsLab(['one', 'two'])
      const { one, two } = lab.hosts
      const attempt = (): Promise<string> =>
        one.run('socat', '-u', '/dev/null', `TCP:${two.v4}:9,connect-timeout=0.2`).catch(String)
      expect(await attempt()).toMatch(/Connection refused/)
      await two.filter({ input: ['tcp dport 9 drop'] })
      expect(await attempt()).toMatch(/timed out/)
      await two.filter({ input: ['tcp dport 9 reject with icmp host-unreachable'] })
      expect(await attempt()).toMatch(/No route to host/)
      await two.filter({})
      expect(await attempt()).toMatch(/Connection refused/)
      await two.plug('out')
      expect(await attempt()).toMatch(/timed out|No route to host/)
      await two.plug('in')
      await eventually(attempt, /Connection refused/)
    })

    it('removes what a process left behind that was killed', async () => {
      // A name as another process would have made it, which is gone.
      const gone = spawn('true')
      await once(gone, 'exit')
      const name = `steelyard-lab-${gone.pid}-1-orphan`
      await said(path('ip'), ['netns', 'add', name])
      expect(await namespaces()).toContain(name)
      await using _lab = await netnsLab(['one'])
      expect(await namespaces()).not.toContain(name)
    })
  },
  lacking,
)
