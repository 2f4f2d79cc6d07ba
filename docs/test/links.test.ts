import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'

const documents = globSync([
  '*.md',
  '.changeset/*.md',
  'docs/*.md',
  'docs/adr/*.md',
  '{packages,examples}/*/README.md',
  '{bench,interop}/README.md',
]).sort()

/** Where a document points to inside the repository. */
function targets(text: string): string[] {
  const prose = text.replace(/^```.*?^```/gms, '')
  return [...prose.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
}

describe('the documents', () => {
  it.each(documents)('%s points only to what is there', (document) => {
    const missing = targets(readFileSync(document, 'utf8')).filter(
      (target) => !existsSync(join(dirname(document), target)),
    )
    expect(missing).toEqual([])
  })

  it('include each decision in their list', () => {
    const list = readFileSync('docs/adr/README.md', 'utf8')
    const decisions = globSync('docs/adr/[0-9]*.md').map((file) => file.replace('docs/adr/', ''))
    expect(decisions.filter((file) => !list.includes(`(${file})`))).toEqual([])
  })

  it('ARCHITECTURE.md names only files of l7 that are there', () => {
    const text = readFileSync('ARCHITECTURE.md', 'utf8')
    const rows = [...text.matchAll(/^\| `(\w+\/)`[^|]*\|[^|]*\|([^|]*)\|$/gm)]
    const beside = /^\| beside them \|[^|]*\|([^|]*)\|$/m.exec(text)?.[1] ?? ''
    const named = rows.map(([, folder = '', list = '']) => ({ folder, list }))
    const files = [...named, { folder: '', list: beside }].flatMap(({ folder, list }) =>
      [...list.matchAll(/`([\w/-]+\.ts)`/g)].map(([, file]) => `packages/l7/src/${folder}${file}`),
    )
    expect(files.length).toBeGreaterThan(20)
    expect(files.filter((file) => !existsSync(file))).toEqual([])
  })
})
