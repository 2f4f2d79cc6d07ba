import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { run } from './steelyard.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const vectors = new URL('../../../../packages/l4/test/vectors/tls/', import.meta.url)

test('the documents of the README are good, and explain says what it prints', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'steelyard-readme-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'tls'))
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await writeFile(join(folder, 'tls/issuer.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
  await writeFile(join(folder, 'tls/www.pem'), readFileSync(new URL('a.pem', vectors)))
  await writeFile(join(folder, 'tls/www.key'), readFileSync(new URL('a-key.pem', vectors)))
  const documents = [...readme.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!)
  expect(documents).toHaveLength(2)
  const file = join(folder, 'edge.yaml')
  for (const document of documents) {
    await writeFile(file, document)
    const { code, err } = await run('check', '--strict', file)
    expect([code, err]).toEqual([0, ''])
  }
  const [, printed] = /\n```\n\$ steelyard explain [^\n]*\n(.*?)```/s.exec(readme) ?? []
  const told = await run(
    'explain',
    'https://api.example.com:8443/v1/items',
    '-H',
    'x-beta: 1',
    '-f',
    file,
  )
  expect(told.err).toBe('')
  expect(told.out.replace(/\nof the document alone.*\n$/, '')).toBe(printed)
})
