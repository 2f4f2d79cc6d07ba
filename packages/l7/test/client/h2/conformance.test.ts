import { once } from 'node:events'
import { createServer } from 'node:http2'
import { describe, expect, test } from 'vitest'
import { type Case, cases, type Wanted } from './conformance-cases.ts'
import { answerAfterBody, h2Lab } from './h2-lab.ts'
import * as raw from './raw-h2.ts'

/** What a server did. */
interface Outcome {
  readonly goaways: readonly number[]
  readonly resets: ReadonlyMap<number, number>
  readonly statuses: ReadonlyMap<number, number>
  readonly live: boolean
}

async function outcome(port: number, { send, greeting, afterResponse }: Case): Promise<Outcome> {
  const client = await raw.rawClient(port, { greet: greeting === undefined })
  try {
    client.send(...(greeting === undefined ? [] : [greeting]), ...send)
    if (afterResponse !== undefined) {
      await client.until((next) => next.stream === 1 && (next.flags & raw.Flag.endStream) !== 0)
      // Until nothing of the stream is left with the server.
      await client.settle()
      client.send(...afterResponse)
    }
    const live = (await client.settle()) && (await client.settle())
    const goaways: number[] = []
    const resets = new Map<number, number>()
    const statuses = new Map<number, number>()
    for (const { type, stream, payload } of client.frames) {
      if (type === raw.Type.goaway) goaways.push(payload.readUInt32BE(4))
      if (type === raw.Type.rstStream) resets.set(stream, payload.readUInt32BE(0))
      if (type === raw.Type.headers && !statuses.has(stream)) {
        statuses.set(stream, raw.statusOf(payload))
      }
    }
    return { goaways, resets, statuses, live }
  } finally {
    client.destroy()
  }
}

/** What is wrong with it; undefined when it is as it must be. */
function fault(wanted: Wanted, { goaways, resets, statuses, live }: Outcome): string | undefined {
  const seen = (): string =>
    [
      ...goaways.map((code) => `GOAWAY ${code}`),
      ...[...resets].map(([stream, code]) => `RST_STREAM ${code} on ${stream}`),
      ...[...statuses].slice(0, 1).map(([stream, status]) => `${status} on ${stream}`),
      live ? 'open' : 'closed',
    ].join(', ')
  const endedBy = (codes: readonly number[]): boolean =>
    goaways.length > 0 ? goaways.some((code) => codes.includes(code)) : !live
  if ('serve' in wanted) return statuses.get(wanted.serve) === 200 ? undefined : seen()
  if ('live' in wanted) return live && goaways.length === 0 ? undefined : seen()
  if ('connection' in wanted) return endedBy(wanted.connection) ? undefined : seen()
  const id = wanted.id ?? 1
  const status = statuses.get(id) ?? 0
  const refused = status >= 400 && status < 500
  const reset = resets.get(id)
  if (refused || (reset !== undefined && wanted.stream.includes(reset))) return undefined
  return endedBy(wanted.stream) ? undefined : seen()
}

/** Rules that neither we nor a bare server of Node's keep, and why that is left so. */
const known: Readonly<Record<string, string>> = {
  ...reasons('nghttp2 ends the connection, but Node has it say INTERNAL_ERROR', [
    '3.4 a preface that is none ends the connection',
    '8.1.1 a content-length below what DATA bring is malformed',
    '8.1.1 a content-length below the sum of several DATA is malformed',
  ]),
  ...reasons(
    'nghttp2 ignores frames on streams that are over, as they may have been on their way',
    [
      '5.1 closed by RST_STREAM: DATA is an error',
      '5.1 closed by RST_STREAM: HEADERS are an error',
      '5.1 closed by END_STREAM: DATA is an error',
      '5.1 closed by END_STREAM: HEADERS are an error',
    ],
  ),
  ...reasons('nghttp2 ignores HEADERS on an id below the last, as on a stream that is over', [
    '5.1.1 ids grow',
  ]),
  ...reasons('nghttp2 ignores what it no longer makes use of: priorities went with RFC 9113', [
    '6.3 PRIORITY on stream 0 ends the connection',
  ]),
  ...reasons(
    'Node takes an answer to no question of its own for an attack, and ends the connection',
    ['6.7 an answer to a PING is not answered'],
  ),
  ...reasons(
    'nghttp2 drops the field and serves the request without it, so that it reaches nobody; Node has no say in that',
    [
      '8.2.1 an empty name is malformed',
      '8.2.1 a colon within a name is malformed',
      '8.2.1 a space within a name is malformed',
      '8.2.1 a control character in a name is malformed',
      '8.2.1 NUL in a value is malformed',
      '8.2.1 CR in a value is malformed',
      '8.2.1 LF in a value is malformed',
      '8.2.1 a space before a value is malformed',
      '8.2.1 a tab behind a value is malformed',
    ],
  ),
}

/** Rules that we keep and Node's server does not. */
const better: readonly string[] = ['8.3.1 Host that differs from :authority is malformed']

function reasons(reason: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, reason]))
}

function nameOf({ section, rule }: Case): string {
  return `${section} ${rule}`
}

async function bareServer(): Promise<{ readonly port: number; close(): void }> {
  const server = createServer({
    settings: { maxConcurrentStreams: 128, enableConnectProtocol: true },
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    if (headers[':path'] === '/hang') return
    const reply = (): void => {
      if (stream.destroyed || stream.closed) return
      stream.respond({ ':status': 200 })
      stream.end('ok')
    }
    if (stream.readableEnded || stream.endAfterHeaders) return reply()
    stream.on('end', reply)
    stream.resume()
  })
  server.on('sessionError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    close: () => void server.close(),
  }
}

describe('RFC 9113, 8441 and 7541', () => {
  test('every case has a name of its own, and what is known is a case', () => {
    const names = cases.map(nameOf)
    expect(new Set(names).size).toBe(names.length)
    for (const name of [...Object.keys(known), ...better]) expect(names).toContain(name)
  })

  test.each(cases.map((one) => [nameOf(one), one] as const))('%s', async (name, one) => {
    await using lab = await h2Lab({
      handle(request) {
        if (request.path !== '/hang') answerAfterBody(request)
      },
    })
    const bare = await bareServer()
    try {
      const ours = fault(one.wanted, await outcome(lab.port, one))
      const theirs = fault(one.wanted, await outcome(bare.port, one))
      const reason = known[name]
      // When one of the two learns a rule, the lists are no longer true, and say so here.
      const right = { ours: ours === undefined, theirs: theirs === undefined }
      if (reason !== undefined) expect(right, reason).toEqual({ ours: false, theirs: false })
      else if (better.includes(name)) expect(right).toEqual({ ours: true, theirs: false })
      else expect(ours, `Node's server: ${theirs ?? 'right'}`).toBeUndefined()
    } finally {
      bare.close()
    }
  })
})
