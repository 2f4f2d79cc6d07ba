import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pool } from '@steelyard/core'
import { always, forward, type HttpFilter, httpBalancer, route } from '@steelyard/l7'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hooks } from '../../scripts/pictures/exchange-phases.ts'
import { exchangePicture } from '../../scripts/pictures/exchange-picture.ts'

const picture = readFileSync('docs/images/exchange.svg', 'utf8')

/** The methods of the interface, as its source names them. */
function hooksOfHttpFilter(): string[] {
  const source = readFileSync('packages/l7/src/exchange/http-filter.ts', 'utf8')
  const [, body = ''] = /export interface HttpFilter \{(.*?)\n\}/s.exec(source) ?? []
  return [...body.matchAll(/^ {2}(\w+)\?\(/gm)].map(([, name = '']) => name)
}

describe('docs/images/exchange.svg', () => {
  it('is what `node scripts/pictures.ts` draws', () => {
    expect(picture === exchangePicture(), 'it is stale: run `node scripts/pictures.ts`').toBe(true)
  })

  it('names each hook of HttpFilter, and no other', () => {
    const names = hooksOfHttpFilter()
    expect(names.length).toBeGreaterThan(5)
    expect(hooks.map(({ name }) => name).sort()).toEqual([...names].sort())
    for (const name of names) expect(picture).toContain(`<tspan class="hook">${name}</tspan>`)
  })
})

describe('an exchange, as the picture tells it', () => {
  /** Hooks in the order in which they were asked, each with the number of its filter. */
  const asked: string[] = []

  const filter = (number: number): HttpFilter => {
    const heard = (name: string): undefined => {
      asked.push(`${name} ${number}`)
      return undefined
    }
    return {
      name: `number ${number}`,
      request: () => heard('request'),
      gather: () => heard('gather'),
      requestBody: () => heard('requestBody'),
      prefer: () => heard('prefer'),
      attempt: () => heard('attempt'),
      upstreamHead: () => heard('upstreamHead'),
      informational: () => heard('informational'),
      responseHead: () => heard('responseHead'),
      responseBody: () => heard('responseBody'),
      trailers: () => heard('trailers'),
      failed: () => heard('failed'),
      done: () => heard('done'),
    }
  }

  const server = createServer((request, response) => {
    request.resume()
    if (request.url === '/cut') {
      request.socket.destroy()
      return
    }
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.writeHead(200, { trailer: 'x-sum' })
    response.write('hello')
    response.addTrailers({ 'x-sum': '5' })
    response.end()
  })

  async function exchange(path: string): Promise<string[]> {
    asked.length = 0
    const { port } = server.address() as AddressInfo
    const balancer = httpBalancer({
      listen: '127.0.0.1:0',
      use: [filter(1), filter(2)],
      routes: [
        route(
          always,
          forward(pool({ backends: [`127.0.0.1:${port}`] }), { retries: 0, use: [filter(3)] }),
        ),
      ],
    })
    await balancer.inject({ method: 'POST', url: `http://a.example${path}`, body: 'hello' })
    await balancer.stop()
    return asked
  }

  /** What the picture says of these hooks, with three filters. */
  const told = (names: (name: string) => boolean): string[] =>
    hooks
      .filter(({ name }) => names(name))
      .flatMap(({ name, order }) =>
        (order === 'given' ? [1, 2, 3] : [3, 2, 1]).map((number) => `${name} ${number}`),
      )

  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterAll(() => {
    server.close()
    server.closeAllConnections()
  })

  it('asks the hooks in its order, and each filter in its order', async () => {
    expect(await exchange('/')).toEqual(told((name) => name !== 'failed'))
  })

  it('asks `failed` instead of what a response would bring', async () => {
    const unasked = ['informational', 'responseBody', 'trailers', 'failed', 'responseHead', 'done']
    expect(await exchange('/cut')).toEqual([
      ...told((name) => !unasked.includes(name)),
      ...told((name) => name === 'failed'),
      ...told((name) => name === 'responseHead'),
      ...told((name) => name === 'done'),
    ])
  })
})
