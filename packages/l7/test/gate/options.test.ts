import { hostileOptionsSuite } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { type ForwardingOptions, forwardingSettings } from '../../src/gate/forwarding-options.ts'
import { type GateOptions, gateSettings } from '../../src/gate/gate-options.ts'

describe('options of the gate', () => {
  it('are strict where nothing is said', () => {
    expect(gateSettings()).toMatchObject({
      encodedSlash: 'reject',
      mergeSlashes: false,
      underscores: 'drop',
      authorityMismatch: 'reject',
      allowTrace: false,
      allowConnect: false,
      unexpectedBody: 'forward',
      maxPathLength: 8192,
      upgrades: ['websocket'],
    })
    expect(forwardingSettings()).toMatchObject({
      xFor: true,
      xProto: true,
      xHost: true,
      xPort: true,
      realIp: true,
      rfc7239: false,
      certificate: [],
      viaRequests: true,
      viaResponses: false,
      maxLoops: 5,
    })
  })

  it.each<[GateOptions, string]>([
    [{ encodedSlash: 'no' as 'keep' }, 'gate.encodedSlash'],
    [{ underscores: true as unknown as 'keep' }, 'gate.underscores'],
    [{ authorityMismatch: 'keep' as 'reject' }, 'gate.authorityMismatch'],
    [{ unexpectedBody: '' as 'reject' }, 'gate.unexpectedBody'],
    [{ allowTrace: 'no' as unknown as boolean }, 'gate.allowTrace'],
    [{ allowConnect: 0 as unknown as boolean }, 'gate.allowConnect'],
    [{ mergeSlashes: 1 as unknown as boolean }, 'gate.mergeSlashes'],
    [{ maxPathLength: 0 }, 'gate.maxPathLength'],
    [{ maxPathLength: '1 mile' }, 'gate.maxPathLength'],
    [{ upgrades: 'websocket' as unknown as string[] }, 'gate.upgrades'],
    [{ upgrades: ['WebSocket'] }, 'gate.upgrades[0]'],
    [{ upgrades: ['websocket', 'h2c'] }, 'gate.upgrades[1]'],
    [{ upgrades: ['HTTP/2'.toLowerCase()] }, 'gate.upgrades[0]'],
    [{ upgrades: ['a b'] }, 'gate.upgrades[0]'],
  ])('refuses %j', (options, path) => {
    expect(() => gateSettings(options)).toThrow(
      expect.objectContaining({ code: 'invalid-option', path }),
    )
  })

  it.each<[ForwardingOptions, string]>([
    [{ forwarded: 'X' as 'x' }, 'forwarding.forwarded'],
    [{ fields: ['for', 'for'] }, 'forwarding.fields[1]'],
    [{ fields: ['server' as 'for'] }, 'forwarding.fields[0]'],
    [{ certificate: ['serial' as 'cn'] }, 'forwarding.certificate[0]'],
    [{ via: 'yes' as 'both' }, 'forwarding.via'],
    [{ pseudonym: 'a b' }, 'forwarding.pseudonym'],
    [{ pseudonym: '' }, 'forwarding.pseudonym'],
    [{ maxLoops: -1 }, 'forwarding.maxLoops'],
    [{ trustedProxies: ['10.0.0.0/33'] }, 'forwarding.trustedProxies[0]'],
    [{ trustedHops: 1.5 }, 'forwarding.trustedHops'],
    [{ trustedHops: 0, trustedProxies: ['10.0.0.0/8'] }, 'forwarding.trustedHops'],
    [{ trustedHeader: 'via' as 'forwarded' }, 'forwarding.trustedHeader'],
  ])('refuses %j', (options, path) => {
    expect(() => forwardingSettings(options)).toThrow(
      expect.objectContaining({ code: 'invalid-option', path }),
    )
  })
})

hostileOptionsSuite([
  {
    name: 'gateSettings',
    args: [
      {
        encodedSlash: 'keep',
        mergeSlashes: true,
        underscores: 'keep',
        authorityMismatch: 'replace',
        allowTrace: true,
        allowConnect: true,
        unexpectedBody: 'reject',
        maxPathLength: '4KiB',
        upgrades: ['websocket', 'x/1'],
      } satisfies GateOptions,
    ],
    call: (options: GateOptions) => gateSettings(options),
  },
  {
    name: 'forwardingSettings',
    args: [
      {
        forwarded: 'both',
        fields: ['for', 'host'],
        certificate: ['cn'],
        via: 'both',
        pseudonym: 'edge-1',
        maxLoops: 3,
        trustedProxies: ['10.0.0.0/8'],
        trustedHops: 2,
        trustedHeader: 'forwarded',
      } satisfies ForwardingOptions,
    ],
    call: (options: ForwardingOptions) => forwardingSettings(options),
  },
])

describe('the hosts that are remembered', () => {
  it('are about as many as are served', () => {
    const names = Array.from({ length: 10_000 }, (_, i) =>
      Uint8Array.from(`site-${i}.example.com`, (char) => char.charCodeAt(0)),
    )
    const remembered = (hostNames: number): number => {
      const { authorities } = gateSettings({}, 'gate', hostNames)
      const value = { host: 'x', port: 0, authority: 'x' } as never
      for (const name of names) authorities.keep(name, 0, name.length, value)
      return names.filter((name) => authorities.find(name, 0, name.length) !== undefined).length
    }
    expect(remembered(0)).toBeLessThan(300)
    expect(remembered(10_000)).toBeGreaterThan(8000)
  })
})
