import { type AcceptHandler, pool, type Stream, type Transport } from '@steelyard/core'
import { expect, it } from 'vitest'
import { acl, nodeTransport } from '../../src/index.ts'
import { fixture } from './fixture.ts'

/** A stream that was reset before it was accepted, as far as a balancer looks at it: no peer is known any more. */
function goneStream(): { readonly stream: Stream; readonly calls: string[] } {
  const calls: string[] = []
  const stream = {
    local: { address: '127.0.0.1', port: 80, family: 4 },
    remote: { address: '', port: 0, family: 4 },
    state: 'open',
    ended: false,
    reset: () => void calls.push('reset'),
    resume: () => void calls.push('resume'),
  } as unknown as Stream
  return { stream, calls }
}

it.each([
  ['a list of trusted proxies', { acceptProxy: { from: ['127.0.0.0/8'] } }],
  ['an access list', { acl: acl({ allow: ['127.0.0.0/8'] }) }],
  ['nothing to ask', {}],
] as const)('a client that was gone before the accept is no stranger to %s', async (_, options) => {
  const transport = nodeTransport()
  let accept: AcceptHandler | undefined
  const watched: Transport = Object.assign(Object.create(transport) as Transport, {
    listen(...[target, handler]: Parameters<Transport['listen']>) {
      accept = handler
      return transport.listen(target, handler)
    },
    connect() {
      throw new Error('nobody is to be connected for it')
    },
  })
  await using balanced = await fixture({
    pool: pool({ backends: ['127.0.0.1:1'] }),
    transport: watched,
    ...options,
  })
  const { stream, calls } = goneStream()
  accept!.accepted(stream)
  expect(await balanced.record()).toMatchObject({ reason: 'reset', endedBy: 'client', attempts: 0 })
  expect(calls).toEqual(['reset'])
})
