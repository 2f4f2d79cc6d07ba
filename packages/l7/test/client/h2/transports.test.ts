import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import type { Socket } from 'node:net'
import { type Stream, silentLog, systemClock, timerWheel } from '@steelyard/core'
import { nodeTransport, terminate, tlsContexts } from '@steelyard/l4'
import { expect, test } from 'vitest'
import { h2Server } from '../../../src/client/h2/h2-server.ts'
import { gateSettings } from '../../../src/gate/gate-options.ts'
import { answer, factsOf, HeardRequest } from './h2-lab.ts'

function vector(name: string): string {
  return readFileSync(new URL(`../../../../l4/test/vectors/tls/${name}`, import.meta.url), 'utf8')
}

/** As a listener does it: accept, TLS where it is asked for, release, adopt. */
test.each([
  ['handles', false],
  ['handles', true],
  ['public', false],
  ['public', true],
] as const)('sockets of the transport over %s, TLS %s', async (io, secure) => {
  const transport = nodeTransport({ io })
  const wheel = timerWheel({ clock: systemClock })
  const heard: string[] = []
  const server = h2Server(
    {},
    {
      begin(leg) {
        const request = new HeardRequest(leg)
        heard.push(request.path)
        leg.resumeBody()
        void request.until(() => request.ended).then(() => answer(leg, request.body.toString()))
        return request
      },
      refused() {},
    },
    { gate: gateSettings({}), log: silentLog, clock: systemClock, wheel },
  )
  const contexts = tlsContexts({
    certificates: [{ cert: vector('local.pem'), key: vector('local-key.pem') }],
    alpn: ['h2'],
  })
  const adopt = (stream: Stream): void => {
    const socket: Socket = transport.release(stream)
    server.adopt(socket, factsOf(socket))
  }
  const listener = await transport.listen(
    { host: '127.0.0.1', port: 0 },
    {
      accepted(stream) {
        if (!secure) return adopt(stream)
        terminate(stream, { contexts, transport }).then(
          (terminated) => {
            expect(terminated.facts.alpn).toBe('h2')
            adopt(terminated.stream)
          },
          () => {},
        )
      },
      failed() {},
    },
  )
  const { port } = listener.address
  const session = connect(`${secure ? 'https' : 'http'}://localhost:${port}`, {
    ca: vector('ca.pem'),
  })
  for (const body of ['one', 'x'.repeat(300_000)]) {
    const stream = session.request({ ':path': `/${body.length}`, ':method': 'POST' })
    stream.end(body)
    stream.setEncoding('utf8')
    let text = ''
    for await (const piece of stream) text += piece as string
    expect(text).toBe(body)
  }
  expect(heard).toEqual(['/3', '/300000'])
  // The client says FIN, and nothing is left.
  session.close()
  await once(session, 'close')
  while (server.sessions > 0) await new Promise(setImmediate)
  await listener.close()
  wheel[Symbol.dispose]()
})
