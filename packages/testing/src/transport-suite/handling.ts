import { describe, expect, it } from 'vitest'
import { type MakeTransport, withLab } from './lab.ts'
import { ending, readSome, turns } from './peer.ts'
import { recorder } from './recorder.ts'

/** What handlers may do: be replaced, throw, act from within their calls. */
export function handlingSuite(make: MakeTransport): void {
  describe('handlers', () => {
    it(
      'can be replaced at any time, also from within a call',
      withLab(make, async (lab) => {
        const { stream, heard, peer } = await lab.accepted()
        const second = recorder()
        const third = recorder()
        heard.onData = () => {
          stream.handler = second
        }
        second.onData = () => {
          stream.handler = third
        }
        stream.resume()
        peer.write('1')
        await heard.received(1)
        peer.write('2')
        await second.received(1)
        peer.end('3')
        await third.heard('ended')
        stream.end()
        await third.heard('closed')
        expect(heard.bytes.toString() + second.bytes.toString() + third.bytes.toString()).toBe(
          '123',
        )
        expect(heard.events).toEqual(['data'])
        expect(third.events).toEqual(['data', 'ended', 'closed'])
      }),
    )

    it(
      'one handler may serve many streams',
      withLab(make, async (lab) => {
        const shared = recorder()
        const open = new Set<unknown>()
        const { port } = await lab.server((socket) => socket.end('x'))
        shared.onEnded = (stream) => stream.end()
        for (let count = 0; count < 20; count++) {
          open.add(lab.connect({ host: '127.0.0.1', port }, shared).stream)
        }
        for (let count = 0; count < 20; count++) await shared.heard('closed')
        expect(open.size).toBe(20)
        expect(shared.length).toBe(20)
      }),
    )

    it(
      'carries the owner’s context',
      withLab(make, async (lab) => {
        const { stream } = await lab.accepted()
        expect(stream.context).toBeUndefined()
        const session = {}
        stream.context = session
        expect(stream.context).toBe(session)
      }),
    )

    for (const verb of ['destroy', 'reset', 'end'] as const) {
      it(
        `\`${verb}\` from within \`data\``,
        withLab(make, async (lab) => {
          const { stream, heard, peer } = await lab.accepted()
          heard.onData = () => stream[verb]()
          stream.resume()
          peer.write('x')
          if (verb === 'end') peer.end()
          await heard.heard('closed')
          expect(heard.failure).toBeUndefined()
          expect(await ending(peer)).toBe(verb === 'reset' ? 'ECONNRESET' : 'end')
          expect(heard.closes).toBe(1)
        }),
      )
    }

    it(
      '`destroy` from within `ended` and `opened`',
      withLab(make, async (lab) => {
        const { stream, heard, peer } = await lab.accepted()
        heard.onEnded = () => stream.destroy()
        stream.resume()
        peer.end()
        await heard.heard('closed')
        expect(heard.events).toEqual(['ended', 'closed'])
        const { port } = await lab.server(() => {})
        const second = recorder()
        second.opened = (opened) => opened.destroy()
        lab.connect({ host: '127.0.0.1', port }, second)
        await second.heard('closed')
        expect(second.failure).toBeUndefined()
      }),
    )

    for (const event of ['opened', 'data', 'ended', 'drained'] as const) {
      it(
        `that throw in \`${event}\` lose their stream and nothing else`,
        withLab(make, async (lab) => {
          const bystander = await lab.accepted()
          bystander.stream.resume()
          const problem = new Error(`thrown in ${event}`)
          const { port } = await lab.server((socket) => {
            if (event === 'drained') socket.resume()
            socket.end('bytes')
          })
          const heard = recorder()
          heard[event] = () => {
            throw problem
          }
          const { stream } = lab.connect({ host: '127.0.0.1', port }, heard)
          if (event === 'drained') stream.write(Buffer.alloc(100))
          await heard.heard('closed')
          expect(heard.failure).toMatchObject({ code: 'io', source: 'system', cause: problem })
          expect(lab.thrown).toEqual([problem])
          expect(stream.state).toBe('closed')
          bystander.peer.write('still here')
          await bystander.heard.received(10)
          bystander.stream.write(Buffer.from('indeed'))
          expect((await readSome(bystander.peer, 6)).toString()).toBe('indeed')
        }),
      )
    }

    it(
      'that throw in `closed` are reported',
      withLab(make, async (lab) => {
        const { stream, heard } = await lab.accepted()
        const problem = new Error('thrown in closed')
        const closed = Promise.withResolvers<void>()
        heard.closed = () => {
          closed.resolve()
          throw problem
        }
        stream.destroy()
        await closed.promise
        await turns()
        expect(lab.thrown).toEqual([problem])
      }),
    )

    it(
      'that throw in `accepted` lose that stream; the listener goes on',
      withLab(make, async (lab) => {
        const problem = new Error('thrown in accepted')
        let count = 0
        const listener = await lab.listen({
          accepted(stream) {
            if (++count === 1) throw problem
            stream.write(Buffer.from('welcome'))
          },
        })
        const first = await lab.client({ port: listener.address.port })
        expect(await ending(first)).toMatch(/^(?:end|ECONNRESET)$/)
        expect(lab.thrown).toEqual([problem])
        const second = await lab.client({ port: listener.address.port })
        expect((await readSome(second, 7)).toString()).toBe('welcome')
      }),
    )
  })
}
