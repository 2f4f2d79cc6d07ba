import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { bed, client, closing } from './bed.ts'

/** libuv refuses to reset a handle that is shutting down; the stream must be told of its end all the same. */
describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a reset of a secure stream (%s)', (maxVersion) => {
  const moments: [string, () => Promise<void> | undefined][] = [
    ['in the turn of its end', () => undefined],
    ['in the microtask after its end', () => Promise.resolve()],
    ['in the tick after its end', () => new Promise<void>((done) => process.nextTick(done))],
    ['in the next turn of the loop', () => turn()],
    [
      'two turns later',
      async () => {
        await turn()
        await turn()
      },
    ],
  ]
  it.each(moments)('%s closes it', async (_, later) => {
    await using server = await bed({ maxVersion })
    const socket = await client(server.port)
    socket.on('error', () => {})
    socket.resume()
    const gone = new Promise((done) => socket.once('close', done))
    const { stream } = await server.secure()
    const closed = closing(stream)
    stream.write(Buffer.from('last words'))
    stream.end()
    await later()
    stream.reset()
    expect(await closed).toBeUndefined()
    expect(stream.state).toBe('closed')
    await gone
  })

  it('after the other side has ended as well closes it', async () => {
    await using server = await bed({ maxVersion })
    const socket = await client(server.port)
    socket.on('error', () => {})
    socket.resume()
    const { stream } = await server.secure()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const { promise: closed, resolve: close } = Promise.withResolvers<void>()
    stream.handler = { data() {}, ended: () => end(), drained() {}, closed: () => close() }
    stream.resume()
    socket.end()
    await ended
    stream.end()
    stream.reset()
    await closed
    expect(stream.state).toBe('closed')
  })
})
