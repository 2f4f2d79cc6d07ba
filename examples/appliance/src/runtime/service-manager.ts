import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Logger } from '@steelyard/core'

/** Tells systemd how the service is; does nothing without it. */
export interface ServiceManager {
  ready(): Promise<void>
  reloading(): Promise<void>
  stopping(): Promise<void>
}

const run = promisify(execFile)

/**
 * Speaks to systemd through its own `systemd-notify`, as Node has no datagrams over unix sockets; the
 * unit needs `NotifyAccess=all`. Active only with `NOTIFY_SOCKET`. What is said is written as in
 * sd_notify(3), because the options of older versions do not have all of it.
 */
export function serviceManager(env: NodeJS.ProcessEnv, log: Logger): ServiceManager {
  async function notify(...assignments: string[]): Promise<void> {
    if (env['NOTIFY_SOCKET'] === undefined) return
    try {
      await run('systemd-notify', [`--pid=${process.pid}`, ...assignments], { timeout: 5000 })
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'systemd-notify failed')
    }
  }
  return {
    ready: () => notify('READY=1', 'STATUS=running'),
    reloading: () => {
      // CLOCK_MONOTONIC, by which the manager tells an old answer from a new one.
      const now = process.hrtime.bigint() / 1000n
      return notify('RELOADING=1', `MONOTONIC_USEC=${now}`, 'STATUS=reloading')
    },
    stopping: () => notify('STOPPING=1', 'STATUS=draining'),
  }
}
