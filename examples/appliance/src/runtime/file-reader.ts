import { SteelyardError } from '@steelyard/core'
import { nodeFiles } from './node-files.ts'

/** Reads the files that a document names. Its verbs throw `file-unreadable` with the path. */
export interface FileReader {
  /** The text of a file. */
  read(path: string): string
  /** The bytes of a file. */
  bytes(path: string): Uint8Array
  /** The first line of a file, such as a passphrase. */
  firstLine(path: string): string
}

/** Reads relative paths from the directory of the document. */
export function fileReader(documentFile: string): FileReader {
  const files = nodeFiles(documentFile)
  function read(path: string): string {
    try {
      return files.read(path)
    } catch (cause) {
      throw new SteelyardError(`${path} cannot be read: ${(cause as Error).message}`, {
        code: 'file-unreadable',
        source: 'config',
        cause,
      })
    }
  }
  return {
    read,
    bytes: (path) => Buffer.from(read(path), 'latin1'),
    firstLine: (path) => read(path).split(/\r?\n/, 1)[0] ?? '',
  }
}

/** Where a certificate and its key are. */
export interface PairFiles {
  readonly cert: string
  readonly key: string
  readonly passphraseFile?: string | undefined
}

/** The text of a certificate and its key. */
export function pairOf(
  { cert, key, passphraseFile }: PairFiles,
  files: FileReader,
): { readonly cert: string; readonly key: string; readonly passphrase?: string } {
  return {
    cert: files.read(cert),
    key: files.read(key),
    ...(passphraseFile === undefined ? {} : { passphrase: files.firstLine(passphraseFile) }),
  }
}
