import { transportSuite } from '@steelyard/testing'
import { nodeTransport } from '../../src/transport/node-transport.ts'

await transportSuite('node on handles', (hooks) => nodeTransport({ io: 'handles', ...hooks }), {
  child: new URL('make-handles.ts', import.meta.url).href,
})
