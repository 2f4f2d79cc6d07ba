import { describe, expect, it } from 'vitest'
import type { Desired } from '../../src/desired/desired.ts'
import { load } from '../../src/desired/resolve.ts'
import { after } from '../../src/reconcile/after.ts'
import { formatPlan } from '../../src/reconcile/format-plan.ts'
import { plan } from '../../src/reconcile/plan.ts'
import type { Step } from '../../src/reconcile/step.ts'
import { fullDocument, issueDocument } from '../desired/issue-document.ts'

function desiredOf(text: string, running?: Desired): Desired {
  const { desired, findings } = load(text, 'lb.yaml', running === undefined ? {} : { running })
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
  return desired!
}

/** The steps from a document to the same one with some texts replaced. */
function changed(
  document: string,
  ...replacements: readonly (readonly [string, string])[]
): readonly Step[] {
  const running = desiredOf(document)
  let text = document
  for (const [before, next] of replacements) {
    expect(text).toContain(before)
    text = text.replace(before, next)
  }
  const desired = desiredOf(text, running)
  const steps = plan(desired, running)
  expect(steps.reduce(after, running)).toEqual(desired)
  return steps
}

const brief = (steps: readonly Step[]): string[] =>
  steps.map(({ action, kind, name, connections }) => `${action} ${kind} ${name}: ${connections}`)

const texts = (steps: readonly Step[]): string[] =>
  steps.flatMap(({ changes }) => changes.map(({ text }) => text))

describe('a plan', () => {
  it('is empty when nothing differs, whatever the order and the spelling', () => {
    expect(changed(fullDocument)).toEqual([])
    expect(
      changed(
        issueDocument,
        ['timeout: 5m', 'timeout: 300s'],
        ['algorithm: source-hash', 'algorithm: { type: source-hash }'],
        ['127.0.0.10-127.0.0.20', '127.0.0.010-127.0.0.20'.replace('010', '10')],
        ['- { address: 127.0.0.1:7002 }', '- 127.0.0.1:7002'],
        ['rise: 2, fall: 3', 'fall: 3, rise: 2'],
      ),
    ).toEqual([])
  })

  it('for a node that has just started adds everything, pools first', () => {
    expect(brief(plan(desiredOf(issueDocument), undefined))).toEqual([
      'add address-pool local: untouched',
      'add pool redis: untouched',
      'add load-balancer cache: untouched',
      'start listener cache/redis: untouched',
    ])
  })

  it('names a weight, and touches no connection', () => {
    const steps = changed(issueDocument, ['weight: 2', 'weight: 3'])
    expect(brief(steps)).toEqual(['edit pool redis: new'])
    expect(texts(steps)).toEqual(['member 127.0.0.1:7001 weight 2 → 3'])
    expect(steps[0]?.changes[0]).toEqual({
      path: 'members.127.0.0.1:7001.weight',
      text: 'member 127.0.0.1:7001 weight 2 → 3',
      from: 2,
      to: 3,
    })
  })

  it('drains members that leave or move', () => {
    const left = changed(issueDocument, ['      - { address: 127.0.0.1:7002 }\n', ''])
    expect(brief(left)).toEqual(['edit pool redis: drained'])
    expect(texts(left)).toEqual(['member 127.0.0.1:7002 removed'])
    const moved = changed(fullDocument, ['"[::1]:7003"', '"[::1]:7004"'])
    expect(brief(moved)).toEqual(['edit pool redis: drained'])
    expect(texts(moved)).toEqual(['member third address [::1]:7003 → [::1]:7004'])
  })

  it('knows what only concerns checks', () => {
    const steps = changed(issueDocument, ['interval: 2s', 'interval: 90s'], ['fall: 3', 'fall: 4'])
    expect(brief(steps)).toEqual(['edit pool redis: untouched'])
    expect(texts(steps)).toEqual(['health.interval 2s → 1m30s', 'health.fall 3 → 4'])
  })

  it('does not compare the options of different kinds', () => {
    const steps = changed(issueDocument, ['{ type: tcp,', '{ type: http, path: /up,'])
    expect(steps[0]?.changes).toHaveLength(1)
    expect(texts(steps)[0]).toMatch(/^health { type: tcp, .* } → { type: http, .*path: \/up.* }$/)
  })

  it('edits a listener where it is', () => {
    const steps = changed(
      issueDocument,
      ['client: 50s', 'client: 1m'],
      ['allow: [127.0.0.0/8]', 'allow: [10.0.0.0/8], deny: [10.6.0.0/16]'],
      ['connectionLimit: 20000', 'connectionLimit: 30000'],
      [
        '        pool: redis',
        '        pool: redis\n        bandwidth: { toClient: 2MiB }\n        backlog: 100',
      ],
    )
    expect(brief(steps)).toEqual(['edit listener cache/redis: new'])
    expect(texts(steps).sort()).toEqual([
      'acl.allow: +10.0.0.0/8 -127.0.0.0/8',
      'acl.deny: +10.6.0.0/16',
      'backlog 4096 → 100',
      'bandwidth none → { toClient: 2MiB }',
      'connectionLimit 20000 → 30000',
      'timeouts.client 50s → 1m',
    ])
    expect(steps[0]).toMatchObject({ atNextStart: ['backlog'] })
  })

  it('renames a listener where it is, with its load balancer', () => {
    const steps = changed(
      issueDocument,
      ['name: redis\n        protocol', 'name: main\n        protocol'],
      ['name: cache', 'name: store'],
    )
    expect(brief(steps)).toEqual([
      'add load-balancer store: untouched',
      'edit listener store/main: untouched',
      'remove load-balancer cache: untouched',
    ])
    expect(texts(steps)).toEqual(['name cache/redis → store/main'])
  })

  it('swaps the names of two listeners', () => {
    const swap = (document: string): string =>
      document
        .replace('name: pass', 'name: x')
        .replace('name: term', 'name: pass')
        .replace('name: x', 'name: term')
    const running = desiredOf(fullDocument)
    const desired = desiredOf(swap(fullDocument), running)
    const steps = plan(desired, running)
    expect(brief(steps)).toEqual([
      'edit listener web/term: untouched',
      'edit listener web/pass: untouched',
    ])
    expect(steps.reduce(after, running)).toEqual(desired)
  })

  it('starts the new before it stops the old', () => {
    const steps = changed(issueDocument, ['port: 6379', 'port: 6380'])
    expect(brief(steps)).toEqual([
      'start listener cache/redis: untouched',
      'stop listener cache/redis: drained',
    ])
    expect(steps.map((step) => step.text)).toEqual([
      'listener cache/redis  tcp 127.0.0.10:6380 → redis',
      'listener cache/redis  tcp 127.0.0.10:6379',
    ])
  })

  it('stops the old first only where the new needs its place', () => {
    const steps = changed(
      issueDocument,
      ['    vip: { pool: local }', '    vip: 0.0.0.0'],
      ['pools:\n', '      - { name: more, protocol: tcp, port: 7000, pool: redis }\npools:\n'],
    )
    expect(brief(steps)).toEqual([
      'edit load-balancer cache: untouched',
      'stop listener cache/redis: drained',
      'start listener cache/redis: untouched',
      'start listener cache/more: untouched',
    ])
    expect(steps[1]).toMatchObject({ makesWayFor: 'cache/redis' })
  })

  it('takes another protocol on the port for another listener', () => {
    const steps = changed(
      issueDocument,
      ['protocol: tcp ', 'protocol: tls '],
      ['        pool: redis', '        pool: redis\n        tls: { mode: passthrough }'],
    )
    expect(brief(steps)).toEqual([
      'stop listener cache/redis: drained',
      'start listener cache/redis: untouched',
    ])
  })

  it('removes pools after the listeners that used them', () => {
    const running = desiredOf(issueDocument)
    const desired = desiredOf(
      'version: 1\nnode: { name: lb-a }\nadmin: { listen: 127.0.0.1:9901 }\n',
    )
    expect(brief(plan(desired, running))).toEqual([
      'stop listener cache/redis: drained',
      'remove load-balancer cache: untouched',
      'remove pool redis: untouched',
      'remove address-pool local: untouched',
    ])
  })

  it('edits node and admin endpoint', () => {
    const steps = changed(
      issueDocument,
      ['{ name: lb-a }', '{ name: lb-b, drain: 1m }'],
      ['9901', '9902'],
    )
    expect(brief(steps)).toEqual(['edit node node: untouched', 'edit admin admin: untouched'])
    expect(texts(steps)).toEqual([
      'name lb-a → lb-b',
      'drain 30s → 1m',
      'listen 127.0.0.1:9901 → 127.0.0.1:9902',
    ])
  })
})

describe('a printed plan', () => {
  it('shows what comes, changes and goes', () => {
    const steps = changed(
      issueDocument,
      ['weight: 2', 'weight: 3'],
      ['port: 6379', 'port: 6380'],
      ['      - { address: 127.0.0.1:7002 }\n', ''],
      ['pools:\n', 'pools:\n  - { name: spare, members: ["10.0.0.1:80"] }\n'],
    )
    expect(formatPlan(steps)).toBe(`+ pool spare  1 member, round-robin, no check
~ pool redis
    member 127.0.0.1:7001 weight 2 → 3
    member 127.0.0.1:7002 removed
    connections of the members that leave drain
+ listener cache/redis  tcp 127.0.0.10:6380 → redis
- listener cache/redis  tcp 127.0.0.10:6379
    open connections drain

Plan: 2 to add, 1 to change, 1 to remove; connections drain in 2 steps, all others go on.
`)
    expect(formatPlan(steps, { colour: true })).toContain('\u001b[32m+ pool spare')
  })

  it('says when there is nothing to do', () => {
    expect(formatPlan([])).toBe('No changes.\n')
  })
})
