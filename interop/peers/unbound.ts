import { type Daemon, daemon } from '../daemon.ts'
import type { Folder } from '../folder.ts'
import { path } from '../needs.ts'

/** A DNS server that knows `whoami.lab.test`, its own name, and `large.lab.test`, about 8 kB of text. */
export interface Unbound extends AsyncDisposable {
  readonly address: string
  /** Its process ends without farewell. */
  kill(): Promise<void>
  /** Another process takes its place. */
  revive(): Promise<void>
}

/** One line of `large.lab.test`. */
export function largeText(index: number): string {
  return `${index} `.padEnd(200, 'steelyard ')
}

/** How many lines `large.lab.test` has. */
export const largeCount = 40

/**
 * Starts a DNS server for UDP and TCP.
 *
 * @param inside - words that bring its command into a namespace.
 * @param key - names its files; its own name by default.
 */
export async function unbound(
  home: Folder,
  name: string,
  host: string,
  port: number,
  inside: readonly string[] = [],
  key = name,
): Promise<Unbound> {
  const texts = Array.from({ length: largeCount }, (_, index) => largeText(index))
  const file = await home.write(
    `unbound-${key}.conf`,
    `server:
  interface: ${host}@${port}
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  username: ""
  chroot: ""
  directory: "${home.path}"
  pidfile: ""
  use-syslog: no
  verbosity: 1
  num-threads: 1
  module-config: "iterator"
  max-udp-size: 65535
  edns-buffer-size: 32768
  do-not-query-localhost: no
  local-zone: "lab.test." static
  local-data: 'whoami.lab.test. 60 IN TXT "${name}"'
  local-data: 'a.lab.test. 60 IN A 192.0.2.53'
${texts.map((text) => `  local-data: 'large.lab.test. 60 IN TXT "${text}"'`).join('\n')}
remote-control:
  control-enable: no
`,
  )
  let process: Daemon
  async function revive(): Promise<void> {
    process = await daemon(path('unbound'), ['-d', '-c', file], {
      inside,
      ready: /start of service/,
    })
  }
  await revive()
  return {
    address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
    kill: () => process.kill('SIGKILL'),
    revive,
    [Symbol.asyncDispose]: () => process.kill('SIGTERM'),
  }
}
