import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as tcpConnect } from 'node:net'
import { connect } from 'node:tls'
import { pool } from '@steelyard/core'
import { afterEach, expect, it } from 'vitest'
import { tlsContexts } from '../../src/index.ts'
import { hello, serverName } from '../tls/hello-builder.ts'
import { type Fixture, fixture } from './fixture.ts'

const pem = (name: string): string =>
  readFileSync(new URL(`../vectors/tls/${name}.pem`, import.meta.url), 'utf8')
let bed: Fixture
afterEach(() => bed[Symbol.asyncDispose]())

async function start(): Promise<Fixture> {
  bed = await fixture({
    pool: pool({ backends: ['127.0.0.1:9'] }),
    terminate: tlsContexts({
      certificates: [{ cert: pem('a'), key: pem('a-key') }],
      unknownName: 'reject',
    }),
  })
  return bed
}

it('lets the alert arrive that says why the handshake was refused', async () => {
  const { port, record } = await start()
  const refused = connect({ port, host: '127.0.0.1', servername: 'c.example' })
  const [error] = (await once(refused, 'error')) as [Error]
  expect(error.message).toContain('unrecognized name')
  expect(await record()).toMatchObject({ reason: 'tls-failed', endedBy: 'client' })
})

it('counts a refused connection until it is closed, and cuts it with the others', async () => {
  const { port, balancer, record } = await start()
  // Half-open: this client takes the alert and the FIN, and does not close.
  const raw = tcpConnect({ port, host: '127.0.0.1', allowHalfOpen: true })
  raw.on('error', () => {})
  raw.write(hello({ extensions: [serverName('c.example')] }))
  const [alert] = (await once(raw, 'data')) as [Buffer]
  expect(alert[0]).toBe(21)
  expect([balancer.stats().active, bed.records.length]).toEqual([1, 0])
  await balancer.stop({ drain: 0 })
  raw.destroy()
  expect(await record()).toMatchObject({ reason: 'drain-deadline', endedBy: 'balancer' })
  expect(balancer.stats().active).toBe(0)
})
