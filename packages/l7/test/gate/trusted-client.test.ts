import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type TrustOptions,
  trustedClient,
  trustedScheme,
  trustSettings,
} from '../../src/gate/trusted-client.ts'
import { connectionOf, headOf } from './requests.ts'

const inner: TrustOptions = { trustedProxies: ['203.0.113.0/24', '10.0.0.0/8', '2001:db8::/32'] }

function client(options: TrustOptions, ...lines: string[]): string {
  const trust = trustSettings(options)
  const connection = connectionOf({ trusted: trust.trusts('203.0.113.9') })
  return trustedClient(headOf('GET / HTTP/1.1', ...lines), connection, trust)
}

const xff = (text: string): string => `X-Forwarded-For: ${text}`

describe('the client’s address', () => {
  it.each<[string, TrustOptions, string[], string]>([
    ['nobody is trusted', {}, [xff('192.0.2.1')], '203.0.113.9'],
    [
      'the peer is not trusted',
      { trustedProxies: ['10.0.0.0/8'] },
      [xff('192.0.2.1')],
      '203.0.113.9',
    ],
    ['there is no list', inner, [], '203.0.113.9'],
    ['one hop', inner, [xff('192.0.2.1')], '192.0.2.1'],
    ['the last that is not trusted', inner, [xff('192.0.2.66, 192.0.2.1, 10.0.0.2')], '192.0.2.1'],
    [
      'over several lines',
      inner,
      [xff('192.0.2.66'), xff('192.0.2.1,10.0.0.2'), xff('10.0.0.1')],
      '192.0.2.1',
    ],
    ['all are trusted', inner, [xff('10.0.0.3, 10.0.0.2')], '10.0.0.3'],
    ['a word stops the walk', inner, [xff('192.0.2.66, unknown, 10.0.0.2')], '10.0.0.2'],
    ['an empty element stops it', inner, [xff('192.0.2.66, , 10.0.0.2')], '10.0.0.2'],
    ['at once', inner, [xff('192.0.2.66,')], '203.0.113.9'],
    ['an empty line too', inner, [xff('192.0.2.66'), xff('')], '203.0.113.9'],
    ['a port is taken off', inner, [xff('192.0.2.1:4711')], '192.0.2.1'],
    ['IPv6 in its shortest form', inner, [xff('2001:DB9:0::0001')], '2001:db9::1'],
    ['IPv6 with a port', inner, [xff('[2001:db9::1]:80, 2001:db8::5')], '2001:db9::1'],
    ['an IPv4-mapped one', inner, [xff('192.0.2.1, ::ffff:10.0.0.2')], '192.0.2.1'],
    ['a lenient form stops it', inner, [xff('192.0.2.66, 010.0.0.2')], '203.0.113.9'],
    ['one counted hop', { trustedHops: 1 }, [xff('192.0.2.66, 192.0.2.1')], '192.0.2.1'],
    ['two counted hops', { trustedHops: 2 }, [xff('192.0.2.66, 192.0.2.1, 10.0.0.2')], '192.0.2.1'],
    ['fewer than counted', { trustedHops: 5 }, [xff('192.0.2.1, 10.0.0.2')], '192.0.2.1'],
    ['no hops', { trustedHops: 0 }, [xff('192.0.2.1')], '203.0.113.9'],
    [
      'a hop and an address',
      { ...inner, trustedHops: 1 },
      [xff('192.0.2.66, 10.0.0.2')],
      '10.0.0.2',
    ],
  ])('%s', (_, options, lines, address) => {
    expect(client(options, ...lines)).toBe(address)
  })

  it('is not looked for without end', () => {
    const many = Array.from({ length: 300 }, () => '10.0.0.1').join(',')
    expect(client(inner, xff(`192.0.2.66,${many}`))).toBe('10.0.0.1')
  })

  const byForwarded: TrustOptions = { ...inner, trustedHeader: 'forwarded' }
  it.each<[string, string[], string]>([
    ['one element', ['for=192.0.2.1;proto=https'], '192.0.2.1'],
    ['several', ['for=192.0.2.66, for=192.0.2.1;by=x, For=10.0.0.2'], '192.0.2.1'],
    ['several lines', ['for=192.0.2.66', 'for=192.0.2.1,for="10.0.0.2:80"'], '192.0.2.1'],
    ['IPv6', ['for="[2001:db9::1]:4711"'], '2001:db9::1'],
    ['quoted commas', ['for=192.0.2.1;by="a,for=192.0.2.66"'], '192.0.2.1'],
    ['escapes', ['for="192.0.2\\.1"'], '192.0.2.1'],
    ['a hidden one', ['for=192.0.2.66, for=_hidden, for=10.0.0.2'], '10.0.0.2'],
    ['an element without', ['for=192.0.2.66, proto=http'], '203.0.113.9'],
    ['broken grammar', ['for=192.0.2.66', 'for=10.0.0.2; "'], '203.0.113.9'],
    ['a parameter twice', ['for=192.0.2.66;for=10.0.0.2'], '203.0.113.9'],
    ['an empty line', [''], '203.0.113.9'],
    ['empty elements', ['for=192.0.2.1, ,'], '192.0.2.1'],
  ])('by Forwarded: %s', (_, values, address) => {
    expect(
      client(byForwarded, xff('192.0.2.99'), ...values.map((value) => `Forwarded: ${value}`)),
    ).toBe(address)
  })

  it('is an address of those that were written, or the peer’s, whatever is written', () => {
    const element = fc.constantFrom(
      '192.0.2.1',
      '10.0.0.1',
      'for=10.0.0.1',
      'x',
      '',
      '"',
      '\\',
      ';',
      '=',
      ' ',
    )
    fc.assert(
      fc.property(fc.array(element), fc.boolean(), (elements, isForwarded) => {
        const value = elements.join(isForwarded ? '' : ',')
        const options: TrustOptions = isForwarded ? byForwarded : inner
        const line = `${isForwarded ? 'Forwarded' : 'X-Forwarded-For'}: ${value}`
        expect(['203.0.113.9', '192.0.2.1', '10.0.0.1']).toContain(client(options, line))
      }),
    )
  })

  it('is found in time in a long line that is made to be slow', () => {
    const start = performance.now()
    client(byForwarded, `Forwarded: ${'x=y;'.repeat(900)}${' \t'.repeat(2000)}"`)
    client(byForwarded, `Forwarded: for="${'\\"'.repeat(3900)}`)
    expect(performance.now() - start).toBeLessThan(500)
  })
})

describe('the scheme', () => {
  const scheme = (isTrusted: boolean, options: TrustOptions, ...lines: string[]): string =>
    trustedScheme(
      headOf('GET / HTTP/1.1', ...lines),
      connectionOf({ trusted: isTrusted }),
      trustSettings(options),
    )

  it('is what a trusted peer says, and else that of the connection', () => {
    const https = 'X-Forwarded-Proto: HTTPS'
    expect(scheme(false, inner, https)).toBe('http')
    expect(scheme(true, inner, https)).toBe('https')
    expect(scheme(true, inner, 'X-Forwarded-Proto: wss')).toBe('https')
    expect(scheme(true, inner, https, 'X-Forwarded-Proto: http')).toBe('http')
    expect(scheme(true, inner, 'X-Forwarded-Proto: https, http')).toBe('http')
    expect(scheme(true, inner, 'X-Forwarded-Proto: gopher')).toBe('http')
    expect(scheme(true, { ...inner, trustedHeader: 'forwarded' }, 'Forwarded: proto=https')).toBe(
      'https',
    )
  })
})

describe('whom to trust', () => {
  it('is by address, or by number alone', () => {
    expect(trustSettings(inner).trusts('10.1.2.3')).toBe(true)
    expect(trustSettings(inner).trusts('11.1.2.3')).toBe(false)
    expect(trustSettings(inner).trusts('')).toBe(false)
    expect(trustSettings({}).trusts('10.1.2.3')).toBe(false)
    expect(trustSettings({ trustedHops: 1 }).trusts('10.1.2.3')).toBe(true)
  })
})
