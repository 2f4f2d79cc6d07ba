// @ts-expect-error: the package has no types.
import httpProxy from 'http-proxy'
import { serveBy } from './http-proxy-server.ts'

serveBy((options) => httpProxy.createProxyServer(options))
