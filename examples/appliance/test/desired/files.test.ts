import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DocumentFiles } from '../../src/desired/document-files.ts'
import { load } from '../../src/desired/resolve.ts'
import { nodeFiles } from '../../src/runtime/node-files.ts'
import { fullDocument } from './issue-document.ts'

const vectors = new URL('../vectors/', import.meta.url)
const pem = (name: string): string => readFileSync(new URL(name, vectors), 'latin1')

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'steelyard-'))
  for (const name of ['www.pem', 'www.key', 'www.enc.key', 'other.key'])
    writeFileSync(join(directory, name), pem(name))
  writeFileSync(join(directory, 'pass'), 'secret\nsecond line\n')
  writeFileSync(join(directory, 'wrong'), 'nonsense\n')
})
afterAll(() => rmSync(directory, { recursive: true }))

function findings(before = '', after = ''): string[] {
  expect(fullDocument).toContain(before)
  const files = nodeFiles(join(directory, 'lb.yaml'))
  return load(fullDocument.replace(before, after), 'lb.yaml', { files }).findings.map(
    ({ code, path, message }) => `${code} ${path}: ${message}`,
  )
}

describe('the files that a document names', () => {
  it('are taken from its directory, and are good', () => {
    expect(findings()).toEqual([])
  })

  it('must be there', () => {
    const [finding, ...more] = findings('cert: www.pem', 'cert: nobody.pem')
    expect(finding).toMatch(
      /^file-unreadable loadBalancers\[2\]\.listeners\[1\]\.tls\.certificates\[0\]\.cert: the file "nobody\.pem" cannot be read: ENOENT/,
    )
    expect(more).toEqual([])
  })

  it('must be files', () => {
    expect(findings('ca: www.pem }', 'ca: /dev/zero }')[0]).toContain('it is not a regular file')
  })

  it('must hold what they should', () => {
    expect(findings('cert: www.pem', 'cert: pass')).toEqual([
      'file-not-pem loadBalancers[2].listeners[1].tls.certificates[0].cert: the file "pass" holds no certificate',
    ])
    expect(findings('key: www.key', 'key: www.pem')).toEqual([
      'file-not-pem loadBalancers[2].listeners[1].tls.certificates[0].key: the file "www.pem" holds no private key',
    ])
    expect(findings('{ ca: www.pem, serverName', '{ ca: www.key, serverName')).toEqual([
      'file-not-pem pools[4].tls.ca: the file "www.key" holds no certificate',
    ])
    expect(findings('{ type: tls, verify: true }', '{ type: tls, ca: pass }')).toEqual([
      'file-not-pem pools[2].health.checks[0].ca: the file "pass" holds no certificate',
    ])
  })

  it('must go together', () => {
    expect(findings('key: www.key', 'key: other.key')).toEqual([
      'certificate-invalid loadBalancers[2].listeners[1].tls.certificates[0].cert: the key is not that of the certificate',
    ])
  })

  it('may have a passphrase if that can be read too', () => {
    expect(findings('key: www.key', 'key: www.enc.key')).toEqual([
      'certificate-invalid loadBalancers[2].listeners[1].tls.certificates[0].key: the key in "www.enc.key" has a passphrase, and nobody can type it in here',
    ])
    expect(findings('key: www.key', 'key: www.enc.key, passphraseFile: pass')).toEqual([])
    expect(findings('key: www.key', 'key: www.enc.key, passphraseFile: wrong')[0]).toContain(
      'the certificate or the key cannot be read',
    )
  })

  it('concern only who names them', () => {
    const files: DocumentFiles = {
      read(path) {
        throw new Error(`no ${path} today`)
      },
    }
    const { desired, quarantined } = load(fullDocument, 'lb.yaml', { files })
    expect(quarantined.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'listener web/term',
      'pool app',
    ])
    expect(Object.keys(desired!.listeners)).toEqual([
      'cache/redis',
      'cache/socket',
      'cache/inherited',
      'names/dns',
      'web/pass',
    ])
  })
})
