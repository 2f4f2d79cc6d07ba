import { fork } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { nodeTransport } from '../../src/index.ts'

describe('a connected datagram socket', () => {
  it('hears nobody but its peer, not even between bind and connect', async () => {
    const transport = nodeTransport()
    const peer = createSocket('udp4').bind(0, '127.0.0.1')
    await once(peer, 'listening')
    const free = createSocket('udp4').bind(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = free.address()
    free.close()
    await once(free, 'close')

    // Another process, so that its datagrams come while this one is between bind and connect.
    const stranger = fork(new URL('./stranger.mjs', import.meta.url), [String(port)])
    await once(stranger, 'message')
    const heard: string[] = []
    for (let round = 0; round < 200; round++) {
      let answered = false
      const socket = await transport.bind(
        { host: '127.0.0.1', port, peer: { host: '127.0.0.1', port: peer.address().port } },
        {
          message(_, bytes) {
            heard.push(new TextDecoder().decode(bytes))
            answered = true
          },
          failed() {},
          closed() {},
        },
      )
      // Again and again: the flood may have filled the kernel's buffer.
      while (!answered) {
        peer.send('right', port, '127.0.0.1')
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
      socket.close()
    }
    expect(new Set(heard)).toEqual(new Set(['right']))
    peer.close()
    const gone = once(stranger, 'exit')
    stranger.kill()
    await gone
  })
})
