import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { daemon } from '../daemon.ts'
import type { Contender } from '../measure.ts'
import { certificateFiles, hosts, type Setup } from './setup.ts'

/** nginx with one worker; a server for each host. */
export function nginx(setup: Setup, name = 'nginx', accessLog = 'off'): Contender {
  return {
    name,
    async start({ listen, backend, folder, cpu }) {
      const config = join(folder, `nginx-${listen}.conf`)
      const log = join(folder, `nginx-${listen}.log`)
      const { cert, key } = certificateFiles(folder)
      const socket = `listen 127.0.0.1:${listen}`
      const tls = setup.tls
        ? `\n  ssl_protocols TLSv1.2 TLSv1.3;\n  ssl_certificate ${cert};\n  ssl_certificate_key ${key};`
        : ''
      const servers = hosts(setup.rules).map(
        (host) =>
          `  server { ${socket}${setup.tls ? ' ssl http2' : ''}; server_name ${host}; location /api/ { proxy_pass http://web; } }`,
      )
      await writeFile(
        config,
        `worker_processes 1;
daemon off;
pid ${folder}/nginx-${listen}.pid;
error_log ${log} crit;
events { worker_connections 16384; }
http {
  access_log ${accessLog};
  server_names_hash_max_size 65536;
  server_names_hash_bucket_size 128;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  client_header_timeout 10s;
  client_max_body_size 0;
  client_body_buffer_size 128k;${tls}
  proxy_http_version 1.1;
  proxy_set_header Host $host;
  proxy_set_header Connection '';
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_connect_timeout 5s;
  proxy_read_timeout 60s;
  proxy_send_timeout 60s;
  proxy_request_buffering off;
  proxy_buffers 16 32k;
  proxy_busy_buffers_size 128k;
  proxy_max_temp_file_size 0;
  upstream web { server 127.0.0.1:${backend}; keepalive 256; keepalive_requests 1000000000; }
  server { ${socket} backlog=4096${setup.tls ? ' ssl http2' : ''} default_server; return 404; }
${servers.join('\n')}
}
`,
      )
      return daemon(cpu, ['nginx', '-c', config, '-e', log], { port: listen })
    },
  }
}
