import { invalidOption, listOption, objectOption, shown } from '@steelyard/core'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Reply } from '../exchange/reply.ts'
import { wholeOption } from './number-option.ts'

/** How {@link httpsRedirect} sends clients on. */
export interface HttpsRedirectOptions {
  /** 301, 302, 307 or 308. Default 308: permanent, and the method stays. */
  readonly status?: 301 | 302 | 307 | 308
  /** Where HTTPS is served. Default 443, which is not named. */
  readonly port?: number
  /** Path prefixes, whole segments, that are served plainly all the same. Default: none; `/.well-known/acme-challenge` for ACME. */
  readonly except?: readonly string[]
}

/**
 * Sends clients that came by `http` to the same place by `https` (`https-redirect`). A request without a host gets
 * 400: there is nowhere to send it.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function httpsRedirect(
  options: HttpsRedirectOptions = {},
  path = 'httpsRedirect',
): HttpFilter {
  const { status = 308 } = objectOption(options, path)
  if (![301, 302, 307, 308].includes(status)) {
    throw invalidOption(`${path}.status`, `${shown(status)} is none of 301, 302, 307, 308`)
  }
  const port = wholeOption(options.port ?? 443, `${path}.port`, 1, 65_535, 'port')
  const suffix = port === 443 ? '' : `:${port}`
  const except = listOption(options.except ?? [], `${path}.except`).map((prefix, index) => {
    if (typeof prefix === 'string' && prefix.startsWith('/')) return prefix.replace(/\/+$/, '')
    throw invalidOption(`${path}.except[${index}]`, `${shown(prefix)} does not begin with /`)
  })
  const nowhere: Reply = Object.freeze({ status: 400, reason: 'https-redirect' })
  return {
    name: 'https-redirect',
    request({ request }): Reply | undefined {
      if (request.scheme === 'https') return undefined
      const { path: at, host } = request
      if (except.some((prefix) => at === prefix || at.startsWith(`${prefix}/`))) return undefined
      if (host === '') return nowhere
      const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
      // `OPTIONS *` asks about the server as a whole.
      const target = at === '*' ? '/' : request.target
      return {
        status,
        headers: { location: `https://${name}${suffix}${target}` },
        reason: 'https-redirect',
      }
    },
  }
}
