import { describe, expect, it } from 'vitest'
import { planCommand } from '../../src/commands/plan.ts'
import { load } from '../../src/desired/resolve.ts'
import { issueDocument } from '../desired/issue-document.ts'
import { memoryIo } from './memory-io.ts'

const running = load(issueDocument, 'lb.yaml').desired!

describe('steelyard plan', () => {
  it('compares with what runs', async () => {
    const io = memoryIo({ 'lb.yaml': issueDocument.replace('weight: 2', 'weight: 3') })
    expect(await planCommand('lb.yaml', { running }, io)).toBe(0)
    expect(io.printed).toEqual({
      out: `~ pool redis
    member 127.0.0.1:7001 weight 2 → 3

Plan: 0 to add, 1 to change, 0 to remove; no open connection is touched.
`,
      err: '',
    })
  })

  it('compares with another document', async () => {
    const files = { 'new.yaml': issueDocument, 'old.yaml': issueDocument.replace('6379', '6380') }
    const io = memoryIo(files)
    expect(await planCommand('new.yaml', { against: 'old.yaml' }, io)).toBe(0)
    expect(io.printed.out).toContain('+ listener cache/redis  tcp 127.0.0.10:6379 → redis\n')
    expect(await planCommand('new.yaml', { against: 'nobody.yaml' }, memoryIo(files))).toBe(2)
  })

  it('shows what would be left out, and what runs on', async () => {
    const io = memoryIo({ 'lb.yaml': issueDocument.replace('pool: redis', 'pool: nope') })
    expect(await planCommand('lb.yaml', { running }, io)).toBe(1)
    expect(io.printed.err).toContain('error[unknown-pool] there is no pool "nope"')
    expect(io.printed.out).toBe(`No changes.

! listener cache/redis (line 10) runs on in its earlier form: there is no pool "nope"
`)
  })

  it('changes nothing for a document that is refused', async () => {
    const io = memoryIo({ 'lb.yaml': 'version: 2' })
    expect(await planCommand('lb.yaml', { running }, io)).toBe(1)
    expect(io.printed.err).toMatch(/lb\.yaml: 2 errors; nothing would be changed\n$/)
    expect(io.printed.out).toBe('')
  })

  it('writes JSON for programs', async () => {
    const io = memoryIo({ 'lb.yaml': issueDocument.replace('weight: 2', 'weight: 3') })
    expect(await planCommand('lb.yaml', { running, json: true }, io)).toBe(0)
    expect(JSON.parse(io.printed.out)).toMatchObject({
      ok: true,
      quarantined: [],
      steps: [{ action: 'edit', kind: 'pool', name: 'redis', connections: 'new' }],
    })
    const bad = memoryIo({ 'lb.yaml': ':' })
    expect(await planCommand('lb.yaml', { json: true }, bad)).toBe(1)
    expect(JSON.parse(bad.printed.out)).toMatchObject({ ok: false })
  })
})
