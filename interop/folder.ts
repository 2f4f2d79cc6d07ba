import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary folder for configurations and data, which other users may enter. */
export interface Folder extends AsyncDisposable {
  readonly path: string
  /** The whole path of a name in it. */
  at(name: string): string
  /** Writes a file and gives its path. */
  write(name: string, content: string | Uint8Array): Promise<string>
}

/** Makes a {@link Folder}; disposing it removes all that is in it. */
export async function folder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'steelyard-interop-'))
  await chmod(path, 0o755)
  return {
    path,
    at: (name) => join(path, name),
    async write(name, content) {
      const file = join(path, name)
      await writeFile(file, content)
      return file
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}
