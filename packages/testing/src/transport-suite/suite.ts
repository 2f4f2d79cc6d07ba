import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { connectingSuite } from './connecting.ts'
import { datagramSuite } from './datagrams.ts'
import { endingSuite } from './ending.ts'
import { exchangeSuite } from './exchange.ts'
import { handlingSuite } from './handling.ts'
import type { MakeTransport } from './lab.ts'
import { listeningSuite } from './listening.ts'
import { loadSuite } from './load.ts'
import { relayingSuite } from './relaying.ts'
import { releasingSuite } from './releasing.ts'

/** What the suite is told of a transport. */
export interface TransportSuiteOptions {
  /** Short connections in the load test. Default 2000. */
  readonly connections?: number
  /**
   * The path or URL of a module that exports `makeTransport(): Transport`, for the tests that need a
   * process of their own; without it they are skipped, aloud.
   */
  readonly child?: string
}

/**
 * Holds a transport to the contract of `@steelyard/core`, from outside: its peers are plain sockets of Node.
 * Call it at the top of a test file.
 *
 * @param makeTransport - makes a fresh transport that reports what handlers throw to the hook it is given.
 */
export async function transportSuite(
  name: string,
  makeTransport: MakeTransport,
  options: TransportSuiteOptions = {},
): Promise<void> {
  const hasIpv6 = await canBind('::1')
  describe(`transport ${name}`, () => {
    it('is called by a name', () => {
      expect(makeTransport({ onHandlerError: () => {} }).name).toMatch(/^[a-z]+$/)
    })
    if (!hasIpv6) {
      it('over IPv6', (context) => context.skip('this machine has no ::1'))
    }
    connectingSuite(makeTransport, hasIpv6)
    listeningSuite(makeTransport, hasIpv6)
    exchangeSuite(makeTransport, hasIpv6)
    endingSuite(makeTransport)
    handlingSuite(makeTransport)
    relayingSuite(makeTransport)
    releasingSuite(makeTransport)
    datagramSuite(makeTransport, hasIpv6)
    loadSuite(makeTransport, options.connections ?? 2000, options.child)
  })
}

function canBind(host: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen({ port: 0, host }, () => server.close(() => resolve(true)))
  return promise
}
