import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSteelyardError } from '../../src/index.ts'
import { parseEndpoint } from '../../src/ip/index.ts'

describe('endpoint', () => {
  it.each([
    ['10.0.0.1:80', { host: '10.0.0.1', port: 80, text: '10.0.0.1:80' }],
    ['10.0.0.1:0', { host: '10.0.0.1', port: 0, text: '10.0.0.1:0' }],
    ['10.0.0.1:00080', { host: '10.0.0.1', port: 80, text: '10.0.0.1:80' }],
    ['[2001:DB8::1]:443', { host: '2001:db8::1', port: 443, text: '[2001:db8::1]:443' }],
    ['[fe80::1%eth0]:80', { host: 'fe80::1%eth0', port: 80, text: '[fe80::1%eth0]:80' }],
    [':8080', { host: '::', port: 8080, text: '[::]:8080' }],
    ['Example.COM:65535', { host: 'example.com', port: 65_535, text: 'example.com:65535' }],
    [
      'my_host-1.internal.:1',
      { host: 'my_host-1.internal.', port: 1, text: 'my_host-1.internal.:1' },
    ],
    ['unix:/run/a.sock', { host: '', port: 0, path: '/run/a.sock', text: 'unix:/run/a.sock' }],
    ['unix:/run/a:80', { host: '', port: 0, path: '/run/a:80', text: 'unix:/run/a:80' }],
  ])('reads %s', (text, expected) => {
    expect(parseEndpoint(text)).toEqual(expected)
    expect(parseEndpoint(expected.text)).toEqual(expected)
  })

  it.each([
    '',
    'host',
    'host:',
    ':',
    '10.0.0.1',
    '10.0.0.1:65536',
    '10.0.0.1:-1',
    '10.0.0.1:8o',
    '10.0.0.256:80',
    '10.0.0:80',
    '1:2:3:4',
    '::1:80',
    '[::1]',
    '[::1]:',
    '[]:80',
    '[10.0.0.1]:80',
    '[::ffff:10.0.0.1]:80',
    '[::1%]:80',
    '[host]:80',
    'a b:80',
    '-a:80',
    'a-:80',
    'a..b:80',
    `${'a'.repeat(64)}:80`,
    `${'a.'.repeat(127)}a:80`,
    'höst:80',
    'host:80 ',
    'unix:',
    'unix:/a\0b',
    `unix:/${'x'.repeat(107)}`,
    // 36 characters, but 3 bytes each.
    `unix:/${'鎖'.repeat(36)}`,
  ])('refuses %j by its path', (text) => {
    expect(() => parseEndpoint(text, 'listen')).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'listen' }),
    )
  })

  it('takes the longest socket path there is', () => {
    expect(parseEndpoint(`unix:/${'x'.repeat(106)}`).path).toHaveLength(107)
  })

  it('refuses an object whose own text would throw', () => {
    const hostile = { toString: 0 } as unknown as string
    expect(() => parseEndpoint(hostile)).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    )
  })

  it('gives an endpoint that reads back, or invalid-option, for anything', () => {
    const piece = fc.constantFrom(
      '10.0.0.1',
      ':',
      '[',
      ']',
      '::1',
      '80',
      'a',
      '-',
      '.',
      'unix:',
      '/',
      '%',
      '65536',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(piece).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(fc.oneof(text, fc.anything({ withNullPrototype: false })), (value) => {
        try {
          const endpoint = parseEndpoint(value as string)
          expect(parseEndpoint(endpoint.text)).toEqual(endpoint)
          expect(endpoint.port).toBeLessThan(65_536)
        } catch (error) {
          expect(isSteelyardError(error, 'invalid-option')).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})
