import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FieldEdits, RequestEdits, ResponseEdits } from '../../src/exchange/field-edits.ts'
import { Head } from '../../src/wire/head.ts'
import { judged, linesOf, responseOf } from '../gate/requests.ts'

const invalid = (path: string): unknown =>
  expect.objectContaining({ code: 'invalid-field', source: 'config', path })

describe('edits of a head', () => {
  it('are made to its lines', () => {
    const head = responseOf(200, ['X-A', '1'], ['x-a', '2'], ['X-B', '3'])
    const edits = new FieldEdits().on(head)
    edits.add('X-C', '4')
    edits.set('x-A', '5')
    expect(edits.remove('x-b')).toBe(1)
    expect(edits.remove('x-b')).toBe(0)
    expect([...edits]).toEqual([
      ['X-C', '4'],
      ['x-A', '5'],
    ])
    expect(edits.get('X-C')).toBe('4')
    expect(edits.all('x-a')).toEqual(['5'])
    expect(edits.has('x-b')).toBe(false)
    expect(linesOf(head)).toEqual(['X-C: 4', 'x-A: 5'])
  })

  it('turn from one head to another', () => {
    const first = responseOf(200)
    const second = responseOf(200)
    const edits = new FieldEdits().on(first)
    edits.add('X-A', '1')
    edits.on(second).add('X-B', '2')
    expect([linesOf(first), linesOf(second)]).toEqual([['X-A: 1'], ['X-B: 2']])
  })

  it.each([
    'Content-Length',
    'transfer-encoding',
    'Connection',
    'Upgrade',
    'TRAILER',
    'te',
    'Keep-Alive',
    'Proxy-Connection',
    'HTTP2-Settings',
  ])('do not set %s', (name) => {
    const edits = new FieldEdits().on(new Head())
    expect(() => edits.set(name, 'x')).toThrow(invalid(name))
    expect(() => edits.add(name, 'x')).toThrow(invalid(name))
    expect([...edits]).toEqual([])
  })

  it.each([
    ['', 'x'],
    ['a b', 'x'],
    ['a:', 'x'],
    ['a\r\nb', 'x'],
    ['\u00fc', 'x'],
    ['X-A', 'x\r\nX-B: y'],
    ['X-A', 'x\ny'],
    ['X-A', 'x\0'],
    ['X-A', '\u010d\u010a'],
    ['X-A', ' x'],
    ['X-A', 5 as unknown as string],
    ['X-A', undefined as unknown as string],
  ])('do not write %j with %j', (name, value) => {
    const head = responseOf(200, ['X-A', 'old'])
    const edits = new FieldEdits().on(head)
    expect(() => edits.set(name, value)).toThrow(invalid(name))
    expect(() => edits.add(name, value)).toThrow(invalid(name))
    // What cannot be set leaves what was there.
    expect(linesOf(head)).toEqual(['X-A: old'])
  })

  it('of any text leave whole lines', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, value) => {
        const head = responseOf(200)
        const edits = new FieldEdits().on(head)
        try {
          edits.add(name, value)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid-field' })
          expect(linesOf(head)).toEqual([])
          return
        }
        expect(linesOf(head)).toEqual([`${name}: ${value}`])
      }),
    )
  })
})

describe('edits of a request', () => {
  const edited = (): RequestEdits =>
    new RequestEdits().on(judged(undefined, 'GET /a?b HTTP/1.1', 'Host: a.example'))

  it('change what is asked for', () => {
    const edits = edited()
    expect([edits.method, edits.path, edits.query, edits.host]).toEqual([
      'GET',
      '/a',
      'b',
      'a.example',
    ])
    edits.method = 'POST'
    edits.path = '/x/../y z'.replace(' ', '%20')
    edits.query = undefined
    edits.host = 'B.Example.:8080'
    expect([edits.method, edits.path, edits.query, edits.host]).toEqual([
      'POST',
      '/y%20z',
      undefined,
      'b.example:8080',
    ])
    edits.query = 'a=/?:@'
    edits.path = '/a%2Fb'
    expect([edits.query, edits.path]).toEqual(['a=/?:@', '/a%2Fb'])
  })

  it('write what was found out of the host', () => {
    const head = judged(undefined, 'GET / HTTP/1.1', 'Host: a.example')
    new RequestEdits().on(head).host = '[2001:DB8::1]:81'
    expect(head).toMatchObject({ host: '[2001:db8::1]', port: 81, authority: '[2001:db8::1]:81' })
  })

  it('have Host as a field too', () => {
    const edits = edited()
    edits.set('HOST', 'b.example')
    expect([edits.host, edits.get('host'), edits.all('Host'), edits.has('host')]).toEqual([
      'b.example',
      'b.example',
      ['b.example'],
      true,
    ])
    expect(() => edits.add('Host', 'c.example')).toThrow(invalid('host'))
    expect(edits.remove('host')).toBe(0)
    expect(edits.host).toBe('b.example')
  })

  it('allow * for OPTIONS alone', () => {
    const edits = edited()
    expect(() => {
      edits.path = '*'
    }).toThrow(invalid('path'))
    edits.method = 'OPTIONS'
    edits.path = '*'
    expect(edits.path).toBe('*')
  })

  it.each<['method' | 'path' | 'query' | 'host', unknown]>([
    ['method', ''],
    ['method', 'GET /'],
    ['method', 'CONNECT'],
    ['method', 5],
    ['path', ''],
    ['path', 'a'],
    ['path', '/a b'],
    ['path', '/a?b'],
    ['path', '/a#b'],
    ['path', '/../a'],
    ['path', '/a\r\nHost: b'],
    ['path', '/%zz'],
    ['path', '/a%00'],
    ['path', undefined],
    ['query', 'a b'],
    ['query', 'a#b'],
    ['query', 'a\r\n'],
    ['query', 'a\n'],
    ['query', 'ü'],
    ['query', null],
    ['host', ''],
    ['host', 'a b'],
    ['host', 'a/b'],
    ['host', 'a,b'],
    ['host', 'ü.example'],
    ['host', 'a\n'],
    ['host', undefined],
  ])('refuse %s %j', (property, value) => {
    const edits = edited()
    const before = [edits.method, edits.path, edits.query, edits.host]
    expect(() => {
      edits[property] = value as string
    }).toThrow(invalid(property))
    expect([edits.method, edits.path, edits.query, edits.host]).toEqual(before)
  })
})

describe('edits of a response', () => {
  it('change its status, and with it the phrase', () => {
    const head = responseOf(200)
    head.reason = 'Fine'
    head.bodyLength = 5
    const edits = new ResponseEdits().on(head)
    edits.status = 200
    expect(head.reason).toBe('Fine')
    edits.status = 404
    expect([edits.status, head.status, head.reason]).toEqual([404, 404, ''])
    expect(edits.bodyLength).toBe(5)
    expect(new ResponseEdits().on(head, -1).bodyLength).toBe(-1)
  })

  it.each([0, 100, 101, 199, 600, 200.5, Number.NaN, '200'])('refuse status %j', (status) => {
    const edits = new ResponseEdits().on(responseOf(200))
    expect(() => {
      edits.status = status as number
    }).toThrow(invalid('status'))
    expect(edits.status).toBe(200)
  })
})
