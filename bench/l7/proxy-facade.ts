import { createProxyServer } from '@steelyard/l7/http-proxy'
import { serveBy } from './http-proxy-server.ts'

serveBy((options) => createProxyServer(options))
