import { describe, expect, it } from 'vitest'
import { checkCommand } from '../../src/commands/check.ts'
import { schemaCommand } from '../../src/commands/schema.ts'
import { fullDocument, issueDocument } from '../desired/issue-document.ts'
import { memoryIo } from './memory-io.ts'

const unused = `${issueDocument}  - { name: spare, members: [] }\n`

describe('steelyard check', () => {
  it('counts what a good document has', async () => {
    const io = memoryIo({ 'lb.yaml': issueDocument })
    expect(await checkCommand('lb.yaml', {}, io)).toBe(0)
    expect(io.printed).toEqual({
      out: `lb.yaml: ok
  node       lb-a, admin on 127.0.0.1:9901
  listeners  1  1 tcp
  pools      1
  members    3  1 backup
  addresses  1  127.0.0.10
`,
      err: '',
    })
  })

  it('prints findings, and how many there are', async () => {
    const io = memoryIo({ 'lb.yaml': issueDocument.replace('rise', 'rsie').replace('5m', '5y') })
    expect(await checkCommand('lb.yaml', {}, io)).toBe(1)
    expect(io.printed.out).toBe('')
    expect(io.printed.err).toContain(
      'lb.yaml:24:56: error[unknown-key] unknown key "rsie" in TCP check',
    )
    expect(io.printed.err).toMatch(/\n\nlb\.yaml: 2 errors\n$/)
  })

  it('lets advice pass, unless it is strict', async () => {
    const io = memoryIo({ 'lb.yaml': unused })
    expect(await checkCommand('lb.yaml', {}, io)).toBe(0)
    expect(io.printed.out).toContain('lb.yaml: ok, with 1 warning\n')
    expect(io.printed.err).toContain('warning[unused-pool]')
    expect(await checkCommand('lb.yaml', { strict: true }, memoryIo({ 'lb.yaml': unused }))).toBe(1)
  })

  it('says so when it cannot read the file', async () => {
    const io = memoryIo({})
    expect(await checkCommand('lb.yaml', {}, io)).toBe(2)
    expect(io.printed.err).toBe(
      "steelyard check: cannot read lb.yaml: ENOENT: no such file, open 'lb.yaml'\n",
    )
  })

  it('looks at files when it is given eyes', async () => {
    const io = memoryIo({ 'lb.yaml': fullDocument })
    const files = {
      read(path: string): string {
        throw new Error(`no ${path}`)
      },
    }
    expect(await checkCommand('lb.yaml', { files }, io)).toBe(1)
    expect(io.printed.err).toContain(
      'error[file-unreadable] the file "www.key" cannot be read: no www.key',
    )
    expect(await checkCommand('lb.yaml', {}, memoryIo({ 'lb.yaml': fullDocument }))).toBe(0)
  })

  it('writes JSON for programs', async () => {
    const good = memoryIo({ 'lb.yaml': issueDocument })
    expect(await checkCommand('lb.yaml', { json: true }, good)).toBe(0)
    expect(JSON.parse(good.printed.out)).toEqual({
      file: 'lb.yaml',
      ok: true,
      findings: [],
      summary: {
        node: 'lb-a',
        admin: '127.0.0.1:9901',
        listeners: { tcp: 1, tls: 0, udp: 0, http: 0, https: 0, h2c: 0 },
        pools: 1,
        members: 3,
        backups: 1,
        addresses: ['127.0.0.10'],
      },
    })
    const bad = memoryIo({ 'lb.yaml': issueDocument.replace('weight: 2', 'weight: -1') })
    expect(await checkCommand('lb.yaml', { json: true }, bad)).toBe(1)
    expect(bad.printed.err).toBe('')
    const answer = JSON.parse(bad.printed.out) as {
      ok: boolean
      findings: object[]
      summary?: object
    }
    expect(answer.ok).toBe(false)
    expect(answer.summary).toBeUndefined()
    expect(answer.findings).toMatchObject([
      {
        severity: 'error',
        code: 'out-of-range',
        file: 'lb.yaml',
        line: 21,
        column: 44,
        path: 'pools[0].members[0].weight',
        text: '-1',
      },
    ])
  })
})

describe('steelyard schema', () => {
  it('prints the JSON Schema', () => {
    let text = ''
    expect(schemaCommand({ out: (part) => void (text += part) })).toBe(0)
    expect(JSON.parse(text)).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'Steelyard document',
      type: 'object',
      required: ['version', 'node'],
    })
  })
})
