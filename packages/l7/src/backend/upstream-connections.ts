import { AutoConnections } from './auto-connections.ts'
import type { BackendConnections } from './connections.ts'
import { dialler } from './dial.ts'
import { H1Connections } from './h1-connections.ts'
import { h2Sessions } from './h2/h2-sessions.ts'
import { IdlePool } from './idle-pool.ts'
import type { UpstreamHost } from './upstream-host.ts'
import type { UpstreamOptions } from './upstream-options.ts'
import { upstreamSettings } from './upstream-settings.ts'

export type { UpstreamHost } from './upstream-host.ts'

/**
 * Makes {@link BackendConnections} by options: HTTP/1.1 over connections that serve one request after the other,
 * HTTP/2 over sessions that many share, or what TLS agrees on. With `sendProxy` `auto` is HTTP/1.1, because a session
 * that many clients share can be nobody's own.
 *
 * @param path - of the options, for errors
 * @throws `invalid-option` with the path of the field.
 */
export function upstreamConnections(
  options: UpstreamOptions,
  host: UpstreamHost,
  path = 'upstream',
): BackendConnections {
  const settings = upstreamSettings(options, path)
  const { protocol, sendProxy } = settings
  if (protocol === 'h2') return h2Sessions(options, host, path)
  const pool = new IdlePool(settings, host)
  const h1 = new H1Connections(pool, dialler(settings, host, path, ['http/1.1']))
  if (protocol === 'http/1.1' || sendProxy !== undefined) return h1
  return new AutoConnections({
    pool,
    h1,
    sessions: h2Sessions(options, host, path),
    dialler: dialler(settings, host, path, ['h2', 'http/1.1']),
    transport: host.transport,
    wheel: host.wheel,
  })
}
