import type { CommandIo } from '../../src/commands/command-io.ts'

/** A {@link CommandIo} over files in memory, and what was written. */
export interface MemoryIo extends CommandIo {
  readonly printed: { out: string; err: string }
}

/** Makes a {@link MemoryIo}. */
export function memoryIo(files: Readonly<Record<string, string>>, colour = false): MemoryIo {
  const printed = { out: '', err: '' }
  return {
    printed,
    colour,
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    readFile(path) {
      const text = files[path]
      if (text === undefined)
        return Promise.reject(new Error(`ENOENT: no such file, open '${path}'`))
      return Promise.resolve(new TextEncoder().encode(text))
    },
  }
}
