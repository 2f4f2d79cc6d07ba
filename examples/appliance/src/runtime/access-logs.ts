import { closeSync, openSync } from 'node:fs'
import { type Clock, type Logger, SteelyardError } from '@steelyard/core'
import { type BufferedSink, bufferedSink, type LogSink } from '@steelyard/l7'

/** The files that access logs go to, one sink for each, whoever writes to it. */
export interface AccessLogs extends AsyncDisposable {
  /** The sink of a file, or of standard output. Throws `file-unreadable` when it cannot be written. */
  sink(file: string | undefined): LogSink
  /** Opens the files anew, as after they were rotated. */
  reopen(): void
}

/** How long a file that was replaced may still be written to. */
const graceMs = 5000

interface OpenLog {
  readonly sink: BufferedSink
  fd: number | undefined
}

/** No log is open yet. @param resolved - the absolute path of a file that the document names. */
export function accessLogs(
  resolved: (file: string) => string,
  clock: Clock,
  log: Logger,
): AccessLogs {
  const open = new Map<string, OpenLog>()
  return {
    sink(file) {
      const path = file === undefined ? '' : resolved(file)
      const known = open.get(path)
      if (known !== undefined) return known.sink
      const fd = file === undefined ? undefined : opened(path)
      const made = { fd, sink: bufferedSink(fd ?? process.stdout, { clock, log }) }
      open.set(path, made)
      return made.sink
    },
    reopen() {
      for (const [path, one] of open) {
        if (one.fd === undefined) continue
        const before = one.fd
        try {
          one.fd = opened(path)
        } catch (error) {
          log.error({ file: path, error: String(error) }, 'the access log stays where it is')
          continue
        }
        one.sink.flush()
        one.sink.redirect(one.fd)
        clock.after(graceMs, () => closeSync(before))
      }
    },
    async [Symbol.asyncDispose]() {
      const all = [...open.values()]
      open.clear()
      await Promise.all(all.map(({ sink }) => sink.close()))
      for (const { fd } of all) if (fd !== undefined) closeSync(fd)
    },
  }
}

function opened(path: string): number {
  try {
    return openSync(path, 'a', 0o640)
  } catch (cause) {
    throw new SteelyardError(`${path} cannot be written: ${(cause as Error).message}`, {
      code: 'file-unreadable',
      source: 'config',
      cause,
    })
  }
}
