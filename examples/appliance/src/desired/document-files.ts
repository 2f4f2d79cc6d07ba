/** How the files that a document names are looked at; the rim implements it. */
export interface DocumentFiles {
  /** The text of a file; a relative path is taken from the directory of the document. Throws when it cannot be read. */
  read(path: string): string
  /** What is wrong with a certificate and its key, in one sentence; `undefined` when they go together. */
  judge?(certificate: string, key: string, passphrase?: string): string | undefined
}
