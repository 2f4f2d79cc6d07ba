import { watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { isSteelyardError } from '@steelyard/core'
import pino, { type Logger } from 'pino'
import { type ApplyReport, appliance } from '../runtime/appliance.ts'
import { serviceManager } from '../runtime/service-manager.ts'
import { version } from '../version.ts'
import type { CommandIo, ExitCode } from './command-io.ts'
import { countFindings, formatFindings } from './format-findings.ts'

/** How {@link runCommand} works. */
export interface RunOptions {
  /** The document. */
  readonly config: string
  /** Reload when the file changes. Default `true`. */
  readonly watch: boolean
}

/** Editors write a file in several steps; one reload is enough. */
const settleMs = 200

/** `steelyard run -c FILE`: runs a node until SIGTERM or SIGINT; a second signal cuts the drain short. */
export async function runCommand(options: RunOptions, io: CommandIo): Promise<ExitCode> {
  const file = resolve(options.config)
  const log = pino({ name: 'steelyard', base: { pid: process.pid } })
  const manager = serviceManager(process.env, log)
  const node = appliance({
    file,
    log,
    env: process.env,
    version,
    setLogLevel: (level) => {
      log.level = level
    },
  })
  // From the first moment: a signal during the start must neither be lost nor kill.
  const signals = stopSignals()
  let reloading = Promise.resolve()
  let isWaiting = false
  const reload = (cause: string): void => {
    // One that has not begun yet will read the newest document anyway.
    if (isWaiting) return
    isWaiting = true
    reloading = reloading.then(async () => {
      isWaiting = false
      if (signals.first.aborted) return
      log.info({ cause }, 'reload')
      await manager.reloading()
      await node.reload().then(
        (report) => showFindings(report, io),
        () => {
          // Told by the node already; what runs stays.
        },
      )
      await manager.ready()
    })
  }
  const onHangup = (): void => reload('SIGHUP')
  process.on('SIGHUP', onHangup)
  using watching = options.watch ? watchFile(file, log, () => reload('file change')) : undefined
  const started = node.start()
  reloading = started.then(
    ({ resolution: { desired } }) => (desired === undefined ? undefined : manager.ready()),
    () => {},
  )
  const refusal: ExitCode | undefined = await started.then(
    (report) => {
      showFindings(report, io)
      if (report.resolution.desired !== undefined) return undefined
      io.err(`\nsteelyard run: ${file} is refused: ${countFindings(report.resolution.findings)}\n`)
      return 1
    },
    (error: unknown) => {
      if (!isSteelyardError(error)) throw error
      io.err(`steelyard run: ${error.message}\n`)
      return 2
    },
  )
  if (refusal !== undefined) {
    watching?.[Symbol.dispose]()
    process.off('SIGHUP', onHangup)
    await node.stop(AbortSignal.abort())
    return refusal
  }
  log.info({ admin: node.adminAddress, file }, 'running')

  await aborted(signals.first)
  watching?.[Symbol.dispose]()
  await reloading
  await manager.stopping()
  log.info(
    { signal: signals.first.reason as string, open: node.open },
    'draining; a second signal cuts what is left',
  )
  await node.stop(signals.second)
  process.off('SIGHUP', onHangup)
  log.info({}, 'stopped')
  return 0
}

interface StopSignals {
  /** Aborts with the name of the first SIGTERM or SIGINT. */
  readonly first: AbortSignal
  /** Aborts with that of the second one. */
  readonly second: AbortSignal
}

function stopSignals(): StopSignals {
  const [first, second] = [new AbortController(), new AbortController()]
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => (first.signal.aborted ? second : first).abort(name))
  }
  return { first: first.signal, second: second.signal }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolved) => {
    if (signal.aborted) return resolved()
    signal.addEventListener('abort', () => resolved(), { once: true })
  })
}

function showFindings({ resolution: { findings } }: ApplyReport, io: CommandIo): void {
  if (findings.length > 0) io.err(`${formatFindings(findings, io)}\n`)
}

/** Calls when the content of the file is another; replaced files and symbolic links are noticed too. */
function watchFile(file: string, log: Logger, changed: () => void): Disposable {
  let timer: NodeJS.Timeout | undefined
  let last: string | undefined
  const content = (): Promise<string | undefined> => readFile(file, 'latin1').catch(() => undefined)
  void content().then((text) => {
    last = text
  })
  const look = async (): Promise<void> => {
    const text = await content()
    if (text === undefined || text === last) return
    last = text
    changed()
  }
  // The directory, because a file that is replaced takes its watch with it.
  const watcher = watch(dirname(file), () => {
    clearTimeout(timer)
    timer = setTimeout(() => void look(), settleMs)
  })
  watcher.on('error', (error) => {
    log.warn(
      { file: basename(file), error: error.message },
      'the file is no longer watched; SIGHUP reloads',
    )
  })
  return {
    [Symbol.dispose]() {
      clearTimeout(timer)
      watcher.close()
    },
  }
}
