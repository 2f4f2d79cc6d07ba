import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Daemon, daemon, freePort } from '../daemon.ts'
import { loadCpu } from '../measure.ts'

/** nginx with canned answers: `/api/1k`, `/api/64k`, `/api/10m`, and `/api/upload`, which reads a body to its end first. */
export async function httpBackend(folder: string): Promise<Daemon & { readonly port: number }> {
  const port = await freePort()
  await mkdir(join(folder, 'api'))
  await writeFile(join(folder, 'api', '64k'), Buffer.alloc(64 * 1024, 'steelyard'))
  await writeFile(join(folder, 'api', '10m'), Buffer.alloc(10 * 1024 ** 2, 'steelyard'))
  const config = join(folder, 'backend.conf')
  await writeFile(
    config,
    `worker_processes 1;
daemon off;
pid ${folder}/backend.pid;
error_log ${folder}/backend.log crit;
events { worker_connections 16384; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=16;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_buffer_size 128k;
  upstream self { server unix:${folder}/self.sock; keepalive 256; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    listen unix:${folder}/self.sock;
    root ${folder};
    default_type application/octet-stream;
    add_header Cache-Control 'private, max-age=60';
    add_header Vary 'Accept-Encoding';
    add_header X-Request-Cost '17';
    location = /api/1k { return 200 '${'x'.repeat(1024)}'; }
    location = /api/ok { return 200 'ok'; }
    location = /api/upload {
      proxy_http_version 1.1;
      proxy_set_header Connection '';
      proxy_set_header Content-Length '';
      proxy_pass_request_body off;
      proxy_method GET;
      proxy_pass http://self/api/ok;
    }
  }
}
`,
  )
  const nginx = await daemon(loadCpu, ['nginx', '-c', config, '-e', `${folder}/backend.log`], {
    port,
  })
  return Object.assign(nginx, { port })
}
