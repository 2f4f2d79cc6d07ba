import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { DocumentFiles } from '../desired/document-files.ts'

/** No certificate, key or ticket file is larger than this. */
const maxBytes = 4 * 1024 * 1024

/** The files of this machine, with relative paths taken from the directory of a document. */
export function nodeFiles(documentPath: string): DocumentFiles {
  const directory = dirname(resolve(documentPath))
  return {
    read(path) {
      const file = resolve(directory, path)
      const stat = statSync(file)
      // A pipe or device could keep us waiting for ever.
      if (!stat.isFile()) throw new Error('it is not a regular file')
      if (stat.size > maxBytes) throw new Error(`it has ${stat.size} bytes, more than ${maxBytes}`)
      return readFileSync(file, 'latin1')
    },
    judge(certificate, key, passphrase) {
      try {
        const own = new X509Certificate(certificate)
        const secret = createPrivateKey({
          key,
          ...(passphrase === undefined ? {} : { passphrase }),
        })
        if (!own.checkPrivateKey(secret)) return 'the key is not that of the certificate'
        return undefined
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        return `the certificate or the key cannot be read: ${why}`
      }
    },
  }
}
