import { SteelyardError } from '@steelyard/core'

/** Listening sockets that the service manager handed over (systemd socket activation). */
export interface InheritedSockets {
  /** The descriptor of a number or a name. Throws `no-such-socket` with those there are. */
  descriptor(wanted: number | string): number
}

/** systemd hands over descriptors from this one on (sd_listen_fds(3)). */
const firstDescriptor = 3

/** Reads `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`; they count only when they are meant for this process. */
export function inheritedSockets(env: NodeJS.ProcessEnv, pid: number): InheritedSockets {
  const isOurs = env['LISTEN_PID'] === undefined || Number(env['LISTEN_PID']) === pid
  const count = isOurs ? Number(env['LISTEN_FDS'] ?? 0) : 0
  const names = (env['LISTEN_FDNAMES'] ?? '').split(':')
  const known = Array.from({ length: count }, (_, index) => ({
    fd: firstDescriptor + index,
    name: names[index] ?? '',
  }))
  return {
    descriptor(wanted) {
      // A number may also come from a parent that is not systemd and sets no variables.
      if (typeof wanted === 'number') return wanted
      const found = known.find(({ name }) => name === wanted)
      if (found !== undefined) return found.fd
      const list = known.map(({ fd, name }) => `${name || 'unnamed'} (${fd})`).join(', ')
      throw new SteelyardError(
        `no socket "${wanted}" was handed over; there ${known.length === 0 ? 'is none' : `are ${list}`}`,
        { code: 'no-such-socket', source: 'system' },
      )
    },
  }
}
