import { backend, silentLog } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { accessLog } from '../../src/observe/access-log.ts'
import type { SpanAttribute, SpanStart, TracerPort } from '../../src/observe/tracer.ts'
import { type TracingOptions, tracing } from '../../src/observe/tracing.ts'
import { exchangeError } from './errors.ts'
import {
  type ExchangeParts,
  fakeExchange,
  fakeHead,
  fakeRecord,
  fakeRequest,
  memorySink,
  moment,
} from './fakes.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'
const parent = `00-${traceId}-${parentId}-01`

/** Bytes 1, 2, 3 …: ids that can be foretold. */
function counting(): (bytes: Uint8Array) => void {
  let next = 0
  return (bytes) => {
    for (let at = 0; at < bytes.length; at++) bytes[at] = next = (next + 1) % 256
  }
}

interface SeenSpan {
  readonly name: string
  readonly start: SpanStart
  readonly set: Record<string, SpanAttribute>
  ended?: { status: string; endTime: number }
}

function memoryTracer(): TracerPort & { spans: SeenSpan[] } {
  const spans: SeenSpan[] = []
  return {
    spans,
    startSpan(name, start) {
      const span: SeenSpan = { name, start, set: {} }
      spans.push(span)
      return {
        setAttribute: (key, value) => void (span.set[key] = value),
        end: (status, endTime) => void (span.ended = { status, endTime }),
      }
    },
  }
}

function caller(fields: Record<string, string | string[]>, more: ExchangeParts = {}): Exchange {
  return fakeExchange({ request: fakeRequest({ fields }), trusted: true, ...more })
}

function sentBy(
  options: TracingOptions,
  x: Exchange,
  head: ReturnType<typeof fakeHead> = fakeHead(),
): ReturnType<typeof fakeHead> {
  void tracing({ random: counting(), ...options }).upstreamHead!(head, x)
  return head
}

describe('propagation', () => {
  it('begins a trace where there is none', () => {
    const head = sentBy({}, fakeExchange())
    expect(head.get('traceparent')).toBe('00-0102030405060708090a0b0c0d0e0f10-1112131415161718-03')
  })

  it('continues the trace of a trusted peer with a span of its own', () => {
    const x = caller({ traceparent: parent, tracestate: 'congo=t61' })
    const head = sentBy({}, x, fakeHead({ traceparent: parent, tracestate: 'congo=t61' }))
    expect(head.get('traceparent')).toBe(`00-${traceId}-0102030405060708-01`)
    expect(head.get('tracestate')).toBe('congo=t61')
  })

  it.each([
    [true, false, traceId],
    [true, true, traceId],
    [false, true, undefined],
    ['trusted', false, undefined],
    ['trusted', true, traceId],
  ] as const)('with trust %s, of a peer that is trusted: %s, trace %s', (trust, trusted, id) => {
    const fields = { traceparent: parent, tracestate: 'congo=t61' }
    const x = caller(fields, { trusted })
    const filter = tracing({ random: counting(), trustIncoming: trust })
    const head = fakeHead(fields)
    void filter.upstreamHead!(head, x)
    const place = filter.placeOf(x)
    if (id === undefined) expect(place.traceId).not.toBe(traceId)
    else expect(place.traceId).toBe(id)
    expect(place.parentId).toBe(id === undefined ? undefined : parentId)
    expect(head.get('tracestate')).toBe(id === undefined ? undefined : 'congo=t61')
  })

  it('begins anew for a traceparent that is none, or of which there are two', () => {
    for (const traceparent of [['00-x'], [parent, parent], [`${parent}-`]]) {
      const x = caller({ traceparent, tracestate: 'congo=t61' })
      const head = sentBy({}, x, fakeHead({ tracestate: 'congo=t61' }))
      expect(head.get('traceparent')).not.toContain(traceId)
      expect(head.has('tracestate')).toBe(false)
    }
  })

  it('passes on a tracestate that is valid, made one and not too long', () => {
    const state = (tracestate: string | string[], stateBytes = 512): string | undefined =>
      sentBy({ stateBytes }, caller({ traceparent: parent, tracestate })).get('tracestate')
    expect(state(['a=1', 'b=2'])).toBe('a=1,b=2')
    expect(state('a=1, b=2')).toBe('a=1,b=2')
    expect(state('a=1,b=2,c=3', 7)).toBe('a=1,b=2')
    expect(state('a=1,a=2')).toBeUndefined()
  })

  it('follows the caller in what is recorded', () => {
    const notSampled = sentBy({ sample: 1 }, caller({ traceparent: parent.replace(/1$/, '0') }))
    expect(notSampled.get('traceparent')).toMatch(/-00$/)
    const sampled = sentBy({ sample: 0 }, caller({ traceparent: parent }))
    expect(sampled.get('traceparent')).toMatch(/-01$/)
  })

  it('records a share of its own traces, chosen by their ids', () => {
    const part = tracing({ sample: 0.25 })
    const places = Array.from({ length: 4000 }, () => part.placeOf(fakeExchange()))
    const chosen = places.filter(({ sampled }) => sampled)
    // Five standard deviations.
    expect(Math.abs(chosen.length - 1000)).toBeLessThan(137)
    for (const { traceId: id, sampled } of places) {
      expect(sampled).toBe(Number.parseInt(id.slice(18, 20), 16) >= 0xc0)
    }
    expect(sentBy({ sample: 0 }, fakeExchange()).get('traceparent')).toMatch(/-02$/)
  })

  it('tells the client, if it is to', () => {
    const told = (respond: 'traceresponse' | 'server-timing'): Map<string, string[]> => {
      const head = fakeHead({ 'server-timing': 'db;dur=5' })
      const filter = tracing({ random: counting(), respond })
      void filter.responseHead!(head, caller({ traceparent: parent }))
      return head.lines
    }
    expect(told('traceresponse').get('traceresponse')).toEqual([
      `00-${traceId}-0102030405060708-01`,
    ])
    expect(told('server-timing').get('server-timing')).toEqual([
      'db;dur=5',
      `traceparent;desc="00-${traceId}-0102030405060708-01"`,
    ])
    expect(tracing().responseHead).toBeUndefined()
  })

  it('gives logs the trace, by the exchange and by the record alone', () => {
    const sink = memorySink()
    const log = accessLog({ format: '%{trace.id} %{trace.parent} %{trace.sampled}', sink })
    const filter = tracing()
    const x = caller({ traceparent: parent })
    void filter.upstreamHead!(fakeHead(), x)
    const record = fakeRecord()
    log.done(record, x)
    filter.done!(record, x)
    log.done(record)
    log.done(fakeRecord())
    expect(sink.lines).toEqual([
      `${traceId} ${parentId} true`,
      `${traceId} ${parentId} true`,
      '- - -',
    ])
  })
})

describe('spans', () => {
  it('tell of the exchange and of each attempt', () => {
    const tracer = memoryTracer()
    const filter = tracing({ tracer, random: counting(), query: true })
    const clock = manualClock(moment)
    clock.advance(5)
    const request = fakeRequest({ fields: { traceparent: parent, 'user-agent': 'curl/8.1' } })
    const members = [
      backend({ address: '10.1.0.1:80', id: 'c1' }),
      backend({ address: '10.1.0.2:81', id: 'c2' }),
    ]
    const at = { clock, request, trusted: true, startedAt: 2, route: 'shop' }
    const first = fakeExchange({ ...at, backend: members[0], attempts: 1 })
    const head = fakeHead()
    void filter.upstreamHead!(head, first)
    expect(head.get('traceparent')).toBe(`00-${traceId}-090a0b0c0d0e0f10-01`)
    clock.advance(10)
    const second = { ...first, backend: members[1], attempts: 2 }
    void filter.upstreamHead!(head, second)
    expect(head.get('traceparent')).toBe(`00-${traceId}-1112131415161718-01`)
    clock.advance(20)
    filter.done!(
      fakeRecord({ backend: 'c2', attempts: 2, bytesIn: 7, status: 404, backendStatus: 404 }),
      second,
    )

    const [server, one, two] = tracer.spans
    expect(tracer.spans).toHaveLength(3)
    expect(server!.name).toBe('GET shop')
    expect(server!.start).toEqual({
      traceId,
      spanId: '0102030405060708',
      parentId,
      remoteParent: true,
      kind: 'server',
      startTime: moment + 2,
      attributes: {
        'http.request.method': 'GET',
        'url.scheme': 'https',
        'url.path': '/a/b',
        'url.query': 'q=1',
        'client.address': '192.0.2.7',
        'network.protocol.name': 'http',
        'network.protocol.version': '1.1',
        'server.address': 'www.example.org',
        'user_agent.original': 'curl/8.1',
        'network.peer.address': '192.0.2.7',
        'network.peer.port': 40_000,
        'steelyard.listener': 'web',
        'steelyard.exchange.id': '0190-id',
      },
    })
    expect(server!.set).toEqual({
      'http.request.body.size': 7,
      'http.response.body.size': 2750,
      'http.response.status_code': 404,
      'steelyard.reason': 'done',
      'steelyard.route': 'shop',
      'steelyard.pool': 'carts',
    })
    // 404 is the client's error, which a server's span does not take for its own.
    expect(server!.ended).toEqual({ status: 'unset', endTime: moment + 35 })
    expect(one!.start).toMatchObject({
      spanId: '090a0b0c0d0e0f10',
      parentId: '0102030405060708',
      remoteParent: false,
      kind: 'client',
      startTime: moment + 5,
      attributes: { 'server.address': '10.1.0.1', 'server.port': 80, 'steelyard.backend': 'c1' },
    })
    expect(one!.start.attributes).not.toHaveProperty('http.request.resend_count')
    expect({ set: one!.set, ended: one!.ended }).toEqual({
      set: { 'error.type': 'retried' },
      ended: { status: 'error', endTime: moment + 15 },
    })
    expect(two!.start.attributes).toMatchObject({ 'http.request.resend_count': 1 })
    expect({ set: two!.set, ended: two!.ended }).toEqual({
      set: { 'http.response.status_code': 404, 'error.type': '404' },
      ended: { status: 'error', endTime: moment + 35 },
    })
  })

  it('tell of failures, and of exchanges that never came to a member', () => {
    const tracer = memoryTracer()
    const filter = tracing({ tracer })
    const x = fakeExchange({ backend: undefined, attempts: 0 })
    void filter.placeOf(x)
    const error = exchangeError('no-backend', 'backend', 'pick')
    filter.done!(fakeRecord({ status: 503, backendStatus: 0, reason: 'no-backend', error }), x)
    expect(tracer.spans).toHaveLength(1)
    expect(tracer.spans[0]!.set['error.type']).toBe('no-backend')
    expect(tracer.spans[0]!.ended!.status).toBe('error')

    const broken = exchangeError('backend-closed', 'backend', 'response-body')
    const other = fakeExchange()
    filter.done!(fakeRecord({ status: 200, reason: 'backend-closed', error: broken }), other)
    expect(tracer.spans[1]!.ended!.status).toBe('error')

    const unrouted = exchangeError('no-route', 'config', 'route')
    filter.done!(
      fakeRecord({ status: 404, reason: 'no-route', error: unrouted }),
      fakeExchange({ route: undefined }),
    )
    expect(tracer.spans[2]!.ended!.status).toBe('unset')
    expect(tracer.spans[2]!.name).toBe('GET')
  })

  it('of a race call neither attempt failed', () => {
    const tracer = memoryTracer()
    const filter = tracing({ tracer })
    const first = fakeExchange({ backend: backend({ address: '10.1.0.1:80', id: 'c1' }) })
    void filter.upstreamHead!(fakeHead(), first)
    const rival = { ...first, backend: backend({ address: '10.1.0.2:80', id: 'c2' }), attempts: 2 }
    void filter.upstreamHead!(fakeHead(), rival)
    filter.done!(fakeRecord({ backend: 'c1', flags: ['hedged'], attempts: 2 }), rival)
    expect(tracer.spans.map(({ ended }) => ended?.status)).toEqual(['unset', 'unset', 'unset'])
    expect(tracer.spans[1]!.set['http.response.status_code']).toBe(200)
    expect(tracer.spans[2]!.set).toEqual({})
  })

  it('are none for traces that are not recorded', () => {
    const tracer = memoryTracer()
    const filter = tracing({ tracer, sample: 0 })
    const x = fakeExchange()
    void filter.upstreamHead!(fakeHead(), x)
    filter.done!(fakeRecord(), x)
    expect(tracer.spans).toEqual([])
  })

  it('are bounded in number, whatever is retried', () => {
    const tracer = memoryTracer()
    const filter = tracing({ tracer })
    const x = fakeExchange()
    for (let i = 0; i < 100; i++) void filter.upstreamHead!(fakeHead(), x)
    filter.done!(fakeRecord(), x)
    expect(tracer.spans).toHaveLength(33)
    expect(tracer.spans.every(({ ended }) => ended !== undefined)).toBe(true)
  })

  it('that fail do not fail the request', () => {
    const warned: string[] = []
    const filter = tracing({
      tracer: {
        startSpan() {
          throw new Error('no exporter')
        },
      },
    })
    const log = { ...silentLog, warn: (_: unknown, message: string) => void warned.push(message) }
    const x = fakeExchange({ log })
    const head = fakeHead()
    void filter.upstreamHead!(head, x)
    filter.done!(fakeRecord(), x)
    expect(head.has('traceparent')).toBe(true)
    expect(warned).toEqual(['the tracer failed'])
  })

  it('of a route’s own tracing stand below those of the listener', () => {
    const tracer = memoryTracer()
    const outer = tracing({ tracer, random: counting() })
    const inner = tracing({ tracer })
    const x = fakeExchange()
    const head = fakeHead()
    void outer.upstreamHead!(head, x)
    void inner.upstreamHead!(head, x)
    outer.done!(fakeRecord(), x)
    inner.done!(fakeRecord(), x)
    const [server, , below] = tracer.spans
    expect(below!.start).toMatchObject({
      traceId: server!.start.traceId,
      parentId: server!.start.spanId,
      remoteParent: false,
    })
    expect(tracer.spans.every(({ ended }) => ended !== undefined)).toBe(true)
  })
})

describe('options of tracing', () => {
  it.each([
    [{ sample: 2 }, /tracing\.sample/],
    [{ trustIncoming: 'yes' }, /tracing\.trustIncoming/],
    [{ propagate: 'b3' }, /tracing\.propagate: "b3" is none of w3c/],
    [{ tracer: {} }, /tracing\.tracer/],
    [{ stateBytes: '1MiB' }, /tracing\.stateBytes/],
  ])('refuses %j', (options, message) => {
    expect(() => tracing(options as unknown as TracingOptions)).toThrow(message)
  })
})
