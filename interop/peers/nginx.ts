import { existsSync } from 'node:fs'
import { type Daemon, daemon } from '../daemon.ts'
import type { Folder } from '../folder.ts'
import { path } from '../needs.ts'

let serial = 0

/** Where Debian's package of the stream module puts it. */
const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so'

/** Why no `stream` block can be used here; `undefined` when it can. */
export const streamLacking: string | undefined = existsSync(streamModule)
  ? undefined
  : 'needs the stream module of nginx'

/** What an nginx does. */
export interface NginxBlocks {
  /** Inside of `http { }`. */
  readonly http?: string
  /** Inside of `stream { }`. */
  readonly stream?: string
}

/** Starts nginx in one process; when it resolves, all of its servers listen. */
export async function nginx(home: Folder, { http, stream }: NginxBlocks): Promise<Daemon> {
  serial += 1
  const own = home.at(`nginx-${serial}`)
  const ready = `${own}.sock`
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${own}-${name};`)
    .join('\n')
  const file = await home.write(
    `nginx-${serial}.conf`,
    `${stream === undefined ? '' : `load_module ${streamModule};`}
daemon off;
master_process off;
pid ${own}.pid;
error_log stderr warn;
events { worker_connections 2048; }
${stream === undefined ? '' : `stream {\n${stream}\n}`}
http {
  access_log off;
${temporary}
  server { listen unix:${ready}; }
${http ?? ''}
}
`,
  )
  return daemon(path('nginx'), ['-e', 'stderr', '-c', file], { ready: { path: ready } })
}
