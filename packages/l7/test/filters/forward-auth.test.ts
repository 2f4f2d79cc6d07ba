import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import {
  type AuthAnswer,
  type AuthQuestion,
  type ForwardAuthOptions,
  forwardAuth,
} from '../../src/filters/forward-auth.ts'
import {
  asked,
  fakeExchange,
  finish,
  headerOf,
  respond,
  send,
  settled,
  statusOf,
} from './fake-exchange.ts'

function guard(
  answer: AuthAnswer | (() => Promise<AuthAnswer>),
  options: Partial<ForwardAuthOptions> = {},
) {
  const clock = manualClock()
  const questions: AuthQuestion[] = []
  const filter = forwardAuth({
    clock,
    ask: (question) => {
      questions.push(question)
      return typeof answer === 'function' ? answer() : answer
    },
    ...options,
  })
  return { clock, questions, filter }
}

describe('forwardAuth', () => {
  it('asks about the request, in words that the client cannot put into its mouth', async () => {
    const { filter, questions } = guard(
      { status: 200 },
      { requestHeaders: ['Cookie', 'X-Forwarded-Uri'] },
    )
    const x = fakeExchange({
      method: 'POST',
      scheme: 'https',
      host: 'shop.example',
      port: 8443,
      path: '/cart',
      query: 'a=b',
      client: '192.0.2.7',
      headers: { cookie: ['a=1', 'b=2'], 'x-forwarded-uri': '/public', authorization: 'secret' },
    })
    expect(await asked(filter, x)).toBeUndefined()
    expect(questions[0]).toMatchObject({
      method: 'GET',
      headers: {
        cookie: 'a=1; b=2',
        'x-forwarded-method': 'POST',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'shop.example:8443',
        'x-forwarded-uri': '/cart?a=b',
        'x-forwarded-for': '192.0.2.7',
      },
    })
    expect(questions[0]?.headers).not.toHaveProperty('authorization')
    expect(filter.pending).toBe(0)
  })

  it('passes on what the service says of the user, and nothing that the client says in its place', async () => {
    const { filter } = guard(
      { status: 204, headers: { 'X-User': 'ann', 'set-cookie': ['a=1', 'b=2'], 'x-more': 'no' } },
      { toBackend: ['x-user', 'x-groups'], toClient: ['set-cookie'] },
    )
    const x = fakeExchange()
    await asked(filter, x)
    expect(send(filter, x, { 'x-user': 'root', 'x-groups': 'wheel' }).told).toEqual({
      'x-user': 'ann',
    })
    expect(respond(filter, x, { 'set-cookie': 'c=3' }).told).toEqual({
      'set-cookie': 'c=3|a=1|b=2',
    })
    const unasked = fakeExchange()
    expect(send(filter, unasked, { 'x-user': 'root' }).told).toEqual({})
    expect(respond(filter, unasked).told).toEqual({})
  })

  it('gives the client any other answer, without what frames it, and no body that is too long', async () => {
    const answer = {
      status: 302,
      headers: {
        location: 'https://login.example/',
        'content-length': '5',
        'transfer-encoding': 'chunked',
        connection: 'close',
        'content-type': 'text/html',
        'x-bad': 'a\r\nb',
      },
      body: 'hello',
    }
    const refused = await asked(guard(answer).filter, fakeExchange())
    expect(refused).toEqual({
      status: 302,
      headers: { location: ['https://login.example/'], 'content-type': ['text/html'], 'x-bad': [] },
      reason: 'auth-refused',
      body: new TextEncoder().encode('hello'),
      errorPage: false,
    })
    const long = await asked(guard(answer, { maxBody: 4 }).filter, fakeExchange())
    expect(long).not.toHaveProperty('body')
    expect(headerOf(long, 'content-type')).toBeUndefined()
  })

  it.each([
    ['answers 5xx', () => Promise.resolve({ status: 502 })],
    ['answers nonsense', () => Promise.resolve({ status: 'ok' } as never)],
    ['answers nothing', () => Promise.resolve(undefined as never)],
    ['rejects', () => Promise.reject(new Error('down'))],
    [
      'throws',
      () => {
        throw new Error('down')
      },
    ],
  ])('is closed when the service %s, unless it is told to be open', async (_, answer) => {
    const x = fakeExchange()
    const { filter } = guard(answer)
    expect(await asked(filter, x)).toMatchObject({ status: 503, reason: 'auth-service-failed' })
    expect(x.flags).toEqual(['auth-service-failed'])
    expect(filter.pending).toBe(0)
    const open = guard(answer, { onFailure: 'allow' }).filter
    expect(await asked(open, fakeExchange())).toBeUndefined()
  })

  it('waits no longer than it may, for no more than so many', async () => {
    const { filter, clock, questions } = guard(() => new Promise(() => {}), {
      timeout: '2s',
      maxPending: 1,
      status: 500,
    })
    const verdict = asked(filter, fakeExchange())
    expect(statusOf(await asked(filter, fakeExchange()))).toBe(500)
    clock.advance(2000)
    expect(statusOf(await verdict)).toBe(500)
    expect(questions[0]?.signal.aborted).toBe(true)
    expect([filter.pending, clock.pending]).toEqual([0, 0])
  })

  it('gives a question up when nobody waits for the answer', async () => {
    const { filter, clock, questions } = guard(() => new Promise(() => {}))
    const x = fakeExchange()
    const verdict = asked(filter, x)
    await settled()
    finish(filter, x, { endedBy: 'client' })
    expect(await verdict).toBeUndefined()
    expect(questions[0]?.signal.aborted).toBe(true)
    expect(x.flags).toEqual([])
    expect([filter.pending, clock.pending]).toEqual([0, 0])
  })

  it('refuses wrong options with their path', () => {
    const wrong = (options: object) => () => forwardAuth(options, 'f')
    expect(wrong({})).toThrow('f: needs either')
    expect(wrong({ url: 'x' })).toThrow('f.url')
    expect(wrong({ url: 'http://a/', toBackend: ['a b'] })).toThrow('f.toBackend[0]')
    expect(wrong({ url: 'http://a/', toClient: ['Content-Length'] })).toThrow('f.toClient[0]')
    expect(wrong({ url: 'http://a/', onFailure: 'maybe' })).toThrow('f.onFailure')
  })

  it('asks over HTTP, and follows no redirects', async () => {
    const seen: IncomingMessage[] = []
    let reply: (response: ServerResponse) => void = (response) => {
      response.writeHead(200, { 'x-user': 'ann' }).end()
    }
    const server = createServer((request, response) => {
      seen.push(request)
      reply(response)
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth`
    try {
      const filter = forwardAuth({ url, toBackend: ['x-user'], maxBody: 10 })
      const x = fakeExchange({ headers: { authorization: 'Bearer x' } })
      expect(await asked(filter, x)).toBeUndefined()
      expect(send(filter, x).told).toEqual({ 'x-user': 'ann' })
      expect(seen[0]).toMatchObject({
        method: 'GET',
        url: '/auth',
        headers: { authorization: 'Bearer x', 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/' },
      })
      reply = (response) => {
        response
          .writeHead(302, { location: 'https://login.example/', 'set-cookie': ['a=1', 'b=2'] })
          .end('x'.repeat(11))
      }
      const refused = await asked(filter, fakeExchange())
      expect(refused).toMatchObject({ status: 302, reason: 'auth-refused' })
      expect(refused).not.toHaveProperty('body')
      expect(headerOf(refused, 'set-cookie')).toBe('a=1|b=2')
      expect(seen).toHaveLength(2)
      reply = (response) => void response.destroy()
      expect(statusOf(await asked(filter, fakeExchange()))).toBe(503)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
