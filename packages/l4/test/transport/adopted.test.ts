import { transportSuite } from '@steelyard/testing'
import { adoptSocket } from '../../src/transport/adopt-socket.ts'
import { type NodeTransport, nodeTransport } from '../../src/transport/node-transport.ts'

// Whatever is accepted is released to Node and adopted again, so that the suite judges both.
await transportSuite('of adopted sockets', (hooks): NodeTransport => {
  const inner = nodeTransport(hooks)
  return {
    name: inner.name,
    io: inner.io,
    connect: (target, handler) => inner.connect(target, handler),
    relay: (a, b, options) => inner.relay(a, b, options),
    release: (stream) => inner.release(stream),
    bind: (target, handler) => inner.bind(target, handler),
    listen: (target, handler) =>
      inner.listen(target, {
        accepted(stream) {
          const { local, remote } = stream
          const adopted = adoptSocket(inner.release(stream), {
            source: 'client',
            local,
            remote,
            ...hooks,
          })
          try {
            handler.accepted(adopted)
          } catch (error) {
            hooks.onHandlerError(error)
            adopted.destroy()
          }
        },
        failed: (error) => handler.failed(error),
      }),
  }
})
