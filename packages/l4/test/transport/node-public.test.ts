import { transportSuite } from '@steelyard/testing'
import { nodeTransport } from '../../src/transport/node-transport.ts'

await transportSuite(
  'node on public sockets',
  (hooks) => nodeTransport({ io: 'public', ...hooks }),
  {
    child: new URL('make-public.ts', import.meta.url).href,
  },
)
