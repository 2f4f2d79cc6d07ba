import { existsSync, globSync } from 'node:fs'
import { chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { daemon } from '../daemon.ts'
import type { Folder } from '../folder.ts'
import { path } from '../needs.ts'
import { said } from '../run.ts'

/** Debian keeps the server out of the PATH, one folder for each version. */
const programs: string | undefined = globSync('/usr/lib/postgresql/*/bin')
  .filter((bin) => existsSync(join(bin, 'initdb')))
  .sort()
  .at(-1)

/** Why no PostgreSQL can be started here; `undefined` when it can. */
export const postgresLacking: string | undefined =
  programs === undefined ? 'needs postgresql' : undefined

/** Makes a database of its own in a folder and serves it; root must not, so `nobody` does. */
export async function postgres(home: Folder, host: string, port: number): Promise<AsyncDisposable> {
  const data = home.at('postgres')
  await mkdir(data)
  await chown(data, 65_534, 65_534)
  const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--']
  await said(path('setpriv'), [
    ...asNobody,
    join(programs!, 'initdb'),
    ...['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '--no-instructions'],
  ])
  return daemon(
    join(programs!, 'postgres'),
    [
      ...['-D', data, '-p', String(port), '-c', `listen_addresses=${host}`, '-c', 'fsync=off'],
      ...['-c', `unix_socket_directories=${data}`, '-c', 'shared_buffers=16MB'],
    ],
    {
      inside: [path('setpriv'), '--pdeathsig', 'KILL', ...asNobody],
      ready: /database system is ready to accept connections/,
      // At once, without waiting for clients.
      stopSignal: 'SIGINT',
    },
  )
}
