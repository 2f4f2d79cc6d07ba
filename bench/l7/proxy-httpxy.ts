import { createProxyServer } from 'httpxy'
import { serveBy } from './http-proxy-server.ts'

serveBy((options) => createProxyServer(options))
