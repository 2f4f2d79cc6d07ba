import type { DocumentFiles } from './document-files.ts'
import {
  allListenersOf,
  type Placed,
  type PlacedListener,
  type PoolDraft,
  poolsOf,
  terminationOf,
} from './document-objects.ts'
import type { DocumentObject, Inspection } from './inspection.ts'
import type { Path } from './path.ts'

type Kind = 'certificate' | 'key' | 'crl' | 'secret'
type Pair = {
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly passphraseFile?: string | undefined
}

/** Every file that the document names can be read and holds what it should. */
export function findUnreadableFiles(inspection: Inspection, files: DocumentFiles): void {
  const reader = fileReader(inspection, files)
  for (const listener of allListenersOf(inspection.draft)) listenerFiles(reader, listener)
  for (const pool of poolsOf(inspection.draft)) poolFiles(reader, pool)
}

interface Reader {
  file(object: DocumentObject, kind: Kind, file: string | undefined, path: Path): string | undefined
  pair(object: DocumentObject, pair: Pair | undefined, path: Path): void
}

function fileReader(inspection: Inspection, files: DocumentFiles): Reader {
  const file: Reader['file'] = (object, kind, name, path) => {
    if (name === undefined) return undefined
    const text = readText(inspection, files, object, name, path)
    if (text === undefined) return undefined
    if (kind === 'secret' || pemLabels[kind].test(text)) return text
    inspection.report(
      'file-not-pem',
      object,
      path,
      `the file "${name}" holds no ${nouns[kind]}`,
      `it needs one in PEM form, text between "-----BEGIN ..." and "-----END ..."`,
    )
    return undefined
  }
  return {
    file,
    pair(object, pair, path) {
      const certificate = file(object, 'certificate', pair?.cert, [...path, 'cert'])
      const key = file(object, 'key', pair?.key, [...path, 'key'])
      const passphrase = file(object, 'secret', pair?.passphraseFile, [...path, 'passphraseFile'])
      if (key !== undefined && encrypted.test(key) && pair?.passphraseFile === undefined) {
        const hint = 'add "passphraseFile", or take the passphrase off the key'
        const problem = `the key in "${pair?.key}" has a passphrase, and nobody can type it in here`
        inspection.report('certificate-invalid', object, [...path, 'key'], problem, hint)
        return
      }
      if (certificate === undefined || key === undefined) return
      const problem = files.judge?.(certificate, key, passphrase?.split('\n', 1)[0])
      if (problem === undefined) return
      const hint = 'give the certificate and the key that were made for each other'
      inspection.report('certificate-invalid', object, [...path, 'cert'], problem, hint)
    },
  }
}

function readText(
  inspection: Inspection,
  files: DocumentFiles,
  object: DocumentObject,
  name: string,
  path: Path,
): string | undefined {
  try {
    return files.read(name)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    inspection.report(
      'file-unreadable',
      object,
      path,
      `the file "${name}" cannot be read: ${why}`,
      'a relative path is taken from the directory of the document',
    )
    return undefined
  }
}

const pemLabels = {
  certificate: /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/,
  key: /-----BEGIN (?:\w+ )?PRIVATE KEY-----/,
  crl: /-----BEGIN X509 CRL-----/,
} as const

const nouns = {
  certificate: 'certificate',
  key: 'private key',
  crl: 'list of revoked certificates',
}

const encrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/

function listenerFiles(reader: Reader, listener: PlacedListener): void {
  const { draft, path } = listener
  const tls = terminationOf(draft)
  if (tls === undefined) return
  const { certificates, clientAuth } = tls
  certificates?.forEach((pair, index) => {
    const at = [...path, 'tls', 'certificates', index]
    reader.pair(listener, pair, at)
    reader.file(listener, 'certificate', pair?.chain, [...at, 'chain'])
    reader.file(listener, 'secret', pair?.ocsp, [...at, 'ocsp'])
  })
  reader.file(listener, 'certificate', clientAuth?.ca, [...path, 'tls', 'clientAuth', 'ca'])
  reader.file(listener, 'crl', clientAuth?.crl, [...path, 'tls', 'clientAuth', 'crl'])
  reader.file(listener, 'secret', tls.ticketKeys, [...path, 'tls', 'ticketKeys'])
}

function poolFiles(reader: Reader, pool: Placed<PoolDraft>): void {
  const { draft, path } = pool
  const tls = (
    settings:
      | { readonly ca?: string | undefined; readonly certificate?: Pair | undefined }
      | undefined,
    at: Path,
  ): void => {
    reader.file(pool, 'certificate', settings?.ca, [...at, 'ca'])
    reader.pair(pool, settings?.certificate, [...at, 'certificate'])
  }
  tls(draft.tls, [...path, 'tls'])
  const { health } = draft
  if (health?.type === 'tls' || health?.type === 'https') tls(health, [...path, 'health'])
  if (health?.type !== 'all-of' && health?.type !== 'any-of' && health?.type !== 'at-least') return
  health.checks?.forEach((part, index) => {
    if (part?.type === 'tls' || part?.type === 'https')
      tls(part, [...path, 'health', 'checks', index])
  })
}
