import { silentLog } from '@steelyard/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Exchange } from '../../src/exchange/exchange.ts'
import type { ExchangeRecord } from '../../src/exchange/exchange-record.ts'
import { type AccessLogOptions, accessLog } from '../../src/observe/access-log.ts'
import { jsonFields } from '../../src/observe/json-line.ts'
import { logVariableNames } from '../../src/observe/log-variable.ts'
import { templateLine } from '../../src/observe/template-line.ts'
import { exchangeError } from './errors.ts'
import { fakeExchange, fakeRecord, fakeRefusal, fakeRequest, memorySink, moment } from './fakes.ts'

function lineOf(
  options: Omit<AccessLogOptions, 'sink'>,
  record: ExchangeRecord = fakeRecord(),
  x?: Exchange,
): string {
  const sink = memorySink()
  accessLog({ ...options, sink }).done(record, x)
  expect(sink.lines).toHaveLength(1)
  return sink.lines[0]!
}

describe('JSON lines', () => {
  it('tell all that is known, in a stable order', () => {
    const record = fakeRecord({
      flags: ['mirrored', 'hedged'],
      attempts: 3,
      tls: {
        version: 'TLSv1.3',
        cipher: 'TLS_AES_128_GCM_SHA256',
        serverName: 'www.example.org',
        alpn: 'h2',
        resumed: true,
        peerCertificate: undefined,
      },
    })
    expect(lineOf({}, record)).toBe(
      '{"time":"2026-11-21T12:13:14.567Z","id":"0190-id","listener":"web","client":"192.0.2.7","clientPort":40000,' +
        '"method":"GET","scheme":"https","host":"www.example.org","path":"/a/b","query":"q=1","version":"HTTP/1.1",' +
        '"status":200,"bytesIn":0,"bytesOut":2750,"route":"shop","pool":"carts","backend":"c1",' +
        '"backendAddress":"10.1.0.1:80","backendStatus":200,"retries":2,"reused":false,"endedBy":"backend",' +
        '"reason":"done","flags":["mirrored","hedged"],"headMs":10.25,"connectMs":30.5,"firstByteMs":69,' +
        '"responseMs":4.002,"totalMs":109.75,"tlsVersion":"TLSv1.3","tlsCipher":"TLS_AES_128_GCM_SHA256",' +
        '"serverName":"www.example.org","userAgent":"curl/8.1","referer":"https://a.example/"}',
    )
  })

  it('are the same whether all fields are named or none', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 })
    const name = fc.option(text, { nil: undefined })
    const sometimes = fc.double({ min: -1, max: 1e6, noNaN: true })
    const named = { fields: Object.keys(jsonFields) }
    const log = { all: memorySink(), named: memorySink() }
    const [all, each] = [accessLog({ sink: log.all }), accessLog({ ...named, sink: log.named })]
    fc.assert(
      fc.property(text, name, name, sometimes, fc.nat(3), (path, query, backend, ms, kind) => {
        const error =
          kind === 1 ? exchangeError('bad-response', 'backend', 'response-head') : undefined
        const record = fakeRecord({
          request: kind === 2 ? undefined : fakeRequest({ path, query, host: query ?? '' }),
          ...(kind === 3 ? { flags: [path, 'b'], status: 0, backendStatus: 0, attempts: 4 } : {}),
          backend,
          backendAddress: query,
          error,
          client: { address: path, port: kind, family: 4 },
          tls:
            backend === undefined
              ? undefined
              : {
                  version: 'TLSv1.3',
                  cipher: path,
                  serverName: query,
                  alpn: 'h2',
                  resumed: true,
                  peerCertificate: undefined,
                },
          times: { head: ms, queue: ms, connect: 0, firstByte: -ms, response: ms, total: ms },
        })
        all.done(record)
        each.done(record)
        expect(log.all.lines.at(-1)).toBe(log.named.lines.at(-1))
      }),
      { numRuns: 500 },
    )
  })

  it('of a refused head leave out what nobody knows', () => {
    const error = exchangeError('bad-request', 'client', 'head', 'two Content-Length "fields"')
    expect(lineOf({}, fakeRefusal({ error }))).toBe(
      '{"time":"2026-11-21T12:13:14.567Z","id":"0190-id","listener":"web","client":"192.0.2.7","clientPort":40000,' +
        '"status":400,"bytesIn":0,"bytesOut":0,"retries":0,"reused":false,"endedBy":"client","reason":"bad-request",' +
        '"phase":"head","error":"two Content-Length \\"fields\\"","headMs":0,"totalMs":0}',
    )
  })

  it('have the fields that were chosen, or fields of one’s own', () => {
    expect(lineOf({ fields: ['status', 'totalMs'] })).toBe('{"status":200,"totalMs":109.75}')
    const fields = { t: 'time.ms', 'who"': 'header:User-Agent', sid: 'cookie:sid', q: 'query:q' }
    expect(JSON.parse(lineOf({ fields }))).toEqual({
      t: moment,
      'who"': 'curl/8.1',
      sid: 'c00kie',
      q: '1',
    })
  })

  it('are JSON and one line whatever the client sent', () => {
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(text, text, text, fc.array(text), fc.double(), (path, agent, host, flags, ms) => {
        const record = fakeRecord({
          request: fakeRequest({ path, host, fields: { 'user-agent': agent } }),
          flags,
          times: { head: ms, queue: ms, connect: ms, firstByte: ms, response: ms, total: ms },
        })
        const line = lineOf({}, record)
        expect(line).toMatch(/^[ -~]*$/)
        const parsed = JSON.parse(line) as Record<string, unknown>
        expect(parsed['path']).toBe(path)
        expect(parsed['userAgent']).toBe(agent)
        if (flags.length > 0) expect(parsed['flags']).toEqual(flags)
      }),
    )
  })
})

describe('common and combined lines', () => {
  it('are those of NCSA', () => {
    expect(lineOf({ format: 'common' })).toBe(
      '192.0.2.7 - - [21/Nov/2026:12:13:14 +0000] "GET /a/b?q=1 HTTP/1.1" 200 2750',
    )
    expect(lineOf({ format: 'combined', user: () => 'ann lee' })).toBe(
      '192.0.2.7 - ann\\x20lee [21/Nov/2026:12:13:14 +0000] "GET /a/b?q=1 HTTP/1.1" 200 2750 ' +
        '"https://a.example/" "curl/8.1"',
    )
  })

  it('of a refused head have dashes', () => {
    expect(lineOf({ format: 'combined' }, fakeRefusal({ status: 0 }))).toBe(
      '192.0.2.7 - - [21/Nov/2026:12:13:14 +0000] "-" 000 - "-" "-"',
    )
  })

  it('cannot be forged', () => {
    const agent = 'x" 200 1\r\n10.0.0.1 - root [01/Jan/2026:00:00:00 +0000] "\u0085\u001b[2J\\ é€'
    const line = lineOf(
      { format: 'combined' },
      fakeRecord({ request: fakeRequest({ fields: { 'user-agent': agent } }) }),
    )
    expect(line).toContain(
      '"x\\x22 200 1\\x0d\\x0a10.0.0.1 - root [01/Jan/2026:00:00:00 +0000] \\x22\\x85\\x1b[2J\\x5c \\xe9\\xe2\\x82\\xac"',
    )
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        (target, userAgent) => {
          const forged = lineOf(
            { format: 'combined' },
            fakeRecord({ request: fakeRequest({ target, fields: { 'user-agent': userAgent } }) }),
          )
          expect(forged).toMatch(
            /^192\.0\.2\.7 - - \[21\/Nov\/2026:12:13:14 \+0000\] "GET [^"\\]*(?:\\x[0-9a-f]{2}[^"\\]*)* HTTP\/1\.1" 200 2750 "-" "[ !#-~]+"$/,
          )
        },
      ),
    )
  })
})

describe('HAProxy-like lines', () => {
  it('have timers, counts and captures where tools look for them', () => {
    const record = fakeRecord({ attempts: 2, response: { server: 'nginx|1' } })
    const format = 'haproxy'
    const capture = { request: ['User-Agent', 'X-None'], response: ['Server'] }
    expect(lineOf({ format, capture }, record)).toBe(
      '192.0.2.7:40000 [21/Nov/2026:12:13:14.556] web carts/c1 10/-1/31/69/120 200 2750 - - ---- ' +
        '0/0/0/0/1 0/0 {curl/8.1|} {nginx#7C1} "GET /a/b?q=1 HTTP/1.1"',
    )
  })

  it('of a refused head have their words for what is absent', () => {
    const error = exchangeError('bad-request', 'client', 'head')
    expect(lineOf({ format: 'haproxy' }, fakeRefusal({ error }))).toBe(
      '192.0.2.7:40000 [21/Nov/2026:12:13:14.567] web <NOSRV>/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR-- ' +
        '0/0/0/0/0 0/0 "<BADREQ>"',
    )
  })

  it('encode what divides fields in names', () => {
    const record = fakeRecord({ pool: 'a b/c[d]', backend: '{x|#"}\\\u00e9€' })
    expect(lineOf({ format: 'haproxy' }, record)).toContain(
      ' a#20b#2Fc#5Bd#5D/#7Bx#7C#23#22#7D\\#E9#E2#82#AC ',
    )
  })

  it('cannot be forged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (target, agent) => {
        const request = fakeRequest({ target, fields: { 'user-agent': agent } })
        const capture = { request: ['user-agent'] }
        const line = lineOf({ format: 'haproxy', capture }, fakeRecord({ request }))
        expect(line).toMatch(/^[ -~]* 0\/0 \{[^{}|"]*\} "GET [^"{}|]* HTTP\/1\.1"$/)
        expect(line.split('{')).toHaveLength(2)
      }),
    )
  })
})

describe('templates', () => {
  it('stand for what they name', () => {
    expect(
      lineOf({
        format:
          '%{client}:%{client.port} "%{request}" %{status} %{status.class} %{ms.queue} %{ms.total} 100%% %{header:x-a} %{termination} %{reused} 5%',
      }),
    ).toBe('192.0.2.7:40000 "GET /a/b?q=1 HTTP/1.1" 200 2xx - 109.75 100% - -- false 5%')
  })

  it('encode what would end a field too early', () => {
    const request = fakeRequest({ fields: { 'user-agent': 'a b|c"d]' } })
    const record = fakeRecord({ request })
    expect(lineOf({ format: '%{header:user-agent}|x' }, record)).toBe('a\\x20b\\x7cc\\x22d]|x')
    expect(lineOf({ format: '"%{header:user-agent}"' }, record)).toBe('"a b|c\\x22d]"')
    expect(lineOf({ format: '[%{header:user-agent}]' }, record)).toBe('[a\\x20b|c\\x22d\\x5d]')
  })

  it('can name every variable, of good records and refused ones', () => {
    for (const name of logVariableNames) {
      const line = templateLine(`%{${name.endsWith(':') ? `${name}x` : name}}`)
      for (const record of [fakeRecord(), fakeRefusal()]) {
        expect(line(record, undefined), name).toMatch(/^[!-~]+$/)
        expect(line(record, fakeExchange()), name).toMatch(/^[!-~]+$/)
      }
    }
  })

  it('never make a second line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const request = fakeRequest({ host: value, fields: { 'x-a': value } })
        const line = lineOf({ format: '%{host} "%{header:x-a}"' }, fakeRecord({ request }))
        expect(line).toMatch(/^[!-~]+ "[ !#-~]+"$/)
      }),
    )
  })
})

describe('an access log', () => {
  it.each([
    [{ format: 'jsno' }, /accessLog\.format: there is no format "jsno": did you mean json\?/],
    [{ format: 'x' }, /write json, common, combined, haproxy, or a template/],
    [{ format: '%{ms.totla}' }, /did you mean ms\.total\?/],
    [{ format: '%{status' }, /has %\{ without \}/],
    [{ format: '%{status}\n' }, /no printable ASCII/],
    [{ fields: ['stats'] }, /accessLog\.fields\[0\]: "stats" is none of time/],
    [{ fields: { a: 'header:' } }, /accessLog\.fields\.a/],
    [{ format: 'common', fields: ['time'] }, /accessLog\.fields: is for json only/],
    [{ sample: 0 }, /accessLog\.sample/],
    [{ format: 'haproxy', capture: { request: ['a b'] } }, /accessLog\.capture\.request\[0\]/],
  ] as const)('refuses %j', (options, message) => {
    expect(() => accessLog({ ...options, sink: memorySink() })).toThrow(message)
  })

  it('needs a sink', () => {
    expect(() => accessLog({} as AccessLogOptions)).toThrow(/accessLog\.sink: is needed/)
  })

  it('writes a share, and what is always wanted, of what is wanted at all', () => {
    const sink = memorySink()
    const randoms = [0.05, 0.2, 0.3, 0.4]
    const log = accessLog({
      format: '%{status}',
      sink,
      sample: 0.1,
      random: () => randoms.shift() ?? 1,
      only: ({ status }) => status !== 204,
      always: ({ status }) => status >= 500,
    })
    for (const status of [200, 204, 201, 503, 202]) log.done(fakeRecord({ status }))
    expect(sink.lines).toEqual(['200', '503'])
  })

  it('hears of each exchange once, by either way or both', () => {
    const sink = memorySink()
    const log = accessLog({ format: '%{id}', sink })
    const one = fakeRecord({ id: 'one' })
    log.done(one, fakeExchange())
    log.onExchange(one)
    log.onExchange(fakeRefusal({ id: 'two' }))
    const three = fakeRecord({ id: 'three' })
    log.onExchange(three)
    expect(sink.lines).toEqual(['one', 'two', 'three'])
  })

  it('counts lines that were dropped', () => {
    const log = accessLog({ sink: memorySink(2) })
    for (let i = 0; i < 5; i++) log.done(fakeRecord())
    expect({ written: log.written, dropped: log.dropped }).toEqual({ written: 2, dropped: 3 })
  })

  it('survives a sink that throws, and says so once in a while', () => {
    const warned: unknown[] = []
    const log = accessLog({
      sink: {
        write() {
          throw new Error('disk gone')
        },
      },
      log: { ...silentLog, warn: (fields) => void warned.push(fields) },
    })
    for (let i = 0; i < 3; i++) log.done(fakeRecord({ time: moment + i * 6000 }))
    expect(log.failures).toBe(3)
    expect(warned).toHaveLength(2)
  })
})
