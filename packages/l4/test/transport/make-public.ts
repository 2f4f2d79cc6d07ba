import { type NodeTransport, nodeTransport } from '../../src/transport/node-transport.ts'

/** For the children of the suite. */
export function makeTransport(): NodeTransport {
  return nodeTransport({ io: 'public' })
}
