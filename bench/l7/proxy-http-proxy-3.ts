import { createProxyServer } from 'http-proxy-3'
import { serveBy } from './http-proxy-server.ts'

serveBy((options) => createProxyServer(options))
