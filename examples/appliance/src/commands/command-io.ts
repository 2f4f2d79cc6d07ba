import type { TerminalSize } from '../cli/screen.ts'

/** What a command may use of the world: tests give their own, `main` the real one. */
export interface CommandIo {
  /** Writes to standard output; the text brings its line breaks. */
  out(text: string): void
  /** Writes to standard error. */
  err(text: string): void
  /** Reads a file whole; rejects when that cannot be done. */
  readFile(path: string): Promise<Uint8Array>
  /** Are colours wanted? */
  readonly colour: boolean
}

/** What commands that go on for a while use beyond that. */
export interface LiveIo extends CommandIo {
  /** The terminal behind `out`; absent when it is a file or a pipe. */
  readonly terminal: (() => TerminalSize) | undefined
  /** Aborts at SIGINT or SIGTERM, from the first call on; until then they end the process as usual. */
  interrupted(): AbortSignal
  /** Resolves after so many milliseconds, or as soon as the signal aborts. */
  pause(ms: number, signal?: AbortSignal): Promise<void>
}

/** 0: all is well. 1: there are findings, or changes. 2: the command could not do its work. */
export type ExitCode = 0 | 1 | 2
