import { describe, expect, it } from 'vitest'
import { formatFindings } from '../../src/commands/format-findings.ts'
import { load } from '../../src/desired/resolve.ts'
import { issueDocument } from './issue-document.ts'

/** What is printed of the example with one thing changed. */
function printed(before: string, after: string): string {
  expect(issueDocument).toContain(before)
  return formatFindings(load(issueDocument.replace(before, after), 'lb.yaml').findings)
}

describe('the documented example', () => {
  it('has no finding', () => {
    const { findings, quarantined, desired } = load(issueDocument, 'lb.yaml')
    expect(findings).toEqual([])
    expect(quarantined).toEqual([])
    expect(desired?.loadBalancers['cache']?.address).toBe('127.0.0.10')
  })

  it('with weight -1 has one finding', () => {
    expect(printed('weight: 2', 'weight: -1')).toBe(
      `lb.yaml:21:44: error[out-of-range] weight must be a whole number from 0 to 65535, not -1
   |
21 |       - { address: 127.0.0.1:7001, weight: -1 }
   |                                            ^^
   = hint: The share of the traffic; 0 drains the member.`,
    )
  })

  it('with the key "algoritm" has one finding', () => {
    expect(printed('algorithm', 'algoritm')).toBe(
      `lb.yaml:19:5: error[unknown-key] unknown key "algoritm" in pool
   |
19 |     algoritm: source-hash
   |     ^^^^^^^^
   = hint: did you mean "algorithm"?`,
    )
  })

  it('with an overlapping address pool has one finding', () => {
    const second = '  - { name: office, addresses: [10.0.0.0/30, 127.0.0.15-127.0.0.30] }\n'
    expect(printed('loadBalancers:', `${second}loadBalancers:`)).toBe(
      `lb.yaml:6:46: error[address-pool-overlap] the address pool "office" and "local", defined on line 5, both hold 127.0.0.15-127.0.0.20
  |
6 |   - { name: office, addresses: [10.0.0.0/30, 127.0.0.15-127.0.0.30] }
  |                                              ^^^^^^^^^^^^^^^^^^^^^
  = hint: an address belongs to one pool: take it out of one of the two, or exclude it there`,
    )
  })

  it('with a missing pool reference has one finding', () => {
    expect(printed('pool: redis', 'pool: reddis')).toBe(
      `lb.yaml:13:15: error[unknown-pool] there is no pool "reddis"
   |
13 |         pool: reddis
   |               ^^^^^^
   = hint: did you mean "redis"?`,
    )
  })

  it('with two listeners on one port has one finding', () => {
    const second = '      - { name: again, protocol: tcp, port: 6379, pool: redis }\n'
    expect(printed('pools:\n', `${second}pools:\n`)).toBe(
      `lb.yaml:17:45: error[port-conflict] TCP 127.0.0.10:6379 is taken by the listener "cache/redis" on line 10
   |
17 |       - { name: again, protocol: tcp, port: 6379, pool: redis }
   |                                             ^^^^
   = hint: choose another port or address`,
    )
  })
})

describe('printing findings', () => {
  it('neither lets a document move the cursor nor turn text about', () => {
    const text = printed('redis\n        protocol', '"re\u001b[2Jdis\u202e"\n        protocol')
    // oxlint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
    expect(text).toContain('\ufffd')
  })

  it('shows a part of a long line', () => {
    const long = `["${Array.from({ length: 300 }, (_, index) => `10.0.${index}.0/24`).join('", "')}", "nonsense"]`
    const lines = printed('[127.0.0.0/8]', long).split('\n')
    expect(lines[0]).toContain('"10.0.256.0/24" is not a block')
    expect(lines.every((line) => line.length < 200)).toBe(true)
    const [, , source, caret] = lines
    expect(source?.slice(caret?.indexOf('^'))).toMatch(/^"10\.0\.256\.0\/24"/)
  })

  it('paints when asked to', () => {
    const { findings } = load('version: 2', 'lb.yaml')
    expect(formatFindings(findings, { colour: true })).toContain('\u001b[31m')
    expect(formatFindings(findings)).not.toContain('\u001b')
  })
})
