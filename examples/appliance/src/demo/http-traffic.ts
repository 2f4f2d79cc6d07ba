import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import type { TrafficCounts } from './traffic.ts'
import { pause } from './wait.ts'

/** An answer over HTTP. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Clients that ask two virtual hosts all the time, over connections that they keep. */
export interface HttpTraffic extends AsyncDisposable, TrafficCounts {
  reset(): void
}

/** What the clients ask for, in turn. */
const questions: readonly (readonly [host: string, path: string, headers?: object])[] = [
  ['shop.localhost', '/'],
  ['api.localhost', '/v1/items'],
  ['shop.localhost', '/cart'],
  ['api.localhost', '/v1/items'],
  ['shop.localhost', '/old/offers'],
  ['api.localhost', '/v1/items', { 'x-beta': 'yes' }],
  ['shop.localhost', '/checkout'],
  ['api.localhost', '/admin/keys'],
]

/** Starts the clients. Every answer below 500 is a good one; a redirect and a refusal are what was asked for. */
export function httpTraffic(port: number, clients: number, pauseMs: number): HttpTraffic {
  const answers = new Map<string, number>()
  const failures: string[] = []
  let running = true

  async function client(first: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let turn = first; running; turn++) {
      const [host, path, headers = {}] = questions[turn % questions.length]!
      try {
        const { status, text } = await askHttp(port, path, { host, ...headers }, agent)
        if (status >= 500) failures.push(`${host}${path}: ${status}`)
        const name = status === 200 ? text.slice(0, text.indexOf(':')) : String(status)
        answers.set(name, (answers.get(name) ?? 0) + 1)
      } catch (error) {
        failures.push(`${host}${path}: ${(error as Error).message}`)
      }
      await pause(pauseMs)
    }
    agent.destroy()
  }

  const loops = Array.from({ length: clients }, (_, index) => client(index * 2))
  return {
    answers,
    failures,
    reset() {
      answers.clear()
      failures.length = 0
    },
    async [Symbol.asyncDispose]() {
      running = false
      await Promise.all(loops)
    },
  }
}

/** One GET. */
export function askHttp(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  agent?: Agent,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, path, headers, agent: agent ?? false, timeout: 5000 },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (piece: string) => {
          text += piece
        })
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        )
      },
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 5 s')))
    outgoing.on('error', reject)
    outgoing.end()
  })
}
