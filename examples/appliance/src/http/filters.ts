import { type Clock, invalidOption } from '@steelyard/core'
import {
  bandwidth,
  basicAuth,
  bufferRequest,
  circuitBreaker,
  compression,
  concurrencyLimit,
  cors,
  faultInjection,
  forwardAuth,
  type HttpFilter,
  hsts,
  httpsRedirect,
  ipAccess,
  type JwtAuthOptions,
  jwtAuth,
  loadShedding,
  mirror,
  type RequestKey,
  rateLimit,
  requestId,
  responseLimit,
  rewriteLocation,
} from '@steelyard/l7'
import type { DesiredRule } from '../desired/desired.ts'
import type { Path } from '../desired/path.ts'
import { faultAt, within } from './fault.ts'
import type { RouteSurroundings } from './surroundings.ts'

type Filters = NonNullable<DesiredRule['filters']>
type RateLimits = NonNullable<Filters['rateLimit']>
type Rate = RateLimits extends infer One
  ? One extends readonly (infer Item)[]
    ? Item
    : One
  : never

/**
 * The filters that a document names, in the order in which they act.
 *
 * @param place - of the listener or rule, for the state that its filters keep.
 * @throws a fault with its place below `at`.
 */
export function filtersOf(
  filters: Filters | undefined,
  place: string,
  at: Path,
  surroundings: RouteSurroundings,
): HttpFilter[] {
  if (filters === undefined) return []
  const { clock, log, read, stock } = surroundings
  const made: HttpFilter[] = []
  const add = <Options>(
    name: string,
    options: Options | undefined,
    make: (options: Options, path: string) => HttpFilter,
    below: Path = [],
  ): void => {
    if (options === undefined) return
    const path = [...at, name, ...below]
    const key = [place, name, ...below].join(' ')
    made.push(within(path, (text) => stock.take(key, options, () => make(options, text))))
  }
  const rates = ratesOf(filters.rateLimit)
  const addRates = (byClaim: boolean): void => {
    for (const { rate, below } of rates) {
      if ((rate.key?.startsWith('claim:') === true) !== byClaim) continue
      add('rateLimit', rate, (options, path) => rateOf(options, path, clock), below)
    }
  }
  add('requestId', filters.requestId, requestId)
  add('httpsRedirect', filters.httpsRedirect, (options, path) =>
    httpsRedirect(options as Parameters<typeof httpsRedirect>[0], path),
  )
  add('ipAccess', filters.ipAccess, ipAccess)
  add('cors', filters.cors, (options, path) =>
    cors(
      {
        ...options,
        origins: options.origins === '*' ? '*' : (options.origins as readonly string[]),
      },
      path,
    ),
  )
  add('loadShedding', filters.loadShedding, loadShedding)
  addRates(false)
  const { basicAuth: basic, jwtAuth: jwt } = filters
  if (basic !== undefined) {
    const users = usersOf(basic, [...at, 'basicAuth'], read)
    const { users: _, usersFile: __, ...rest } = basic
    add('basicAuth', { ...rest, users }, (options, path) => basicAuth({ ...options, clock }, path))
  }
  if (jwt !== undefined) {
    const options = jwtOptionsOf(jwt, [...at, 'jwtAuth'], read)
    add('jwtAuth', options, (own, path) => jwtAuth({ ...own, clock, log }, path))
  }
  add('forwardAuth', filters.forwardAuth, (options, path) =>
    forwardAuth({ ...options, clock }, path),
  )
  addRates(true)
  add('concurrencyLimit', filters.concurrencyLimit, (options, path) => {
    const { key, ...rest } = options
    return concurrencyLimit(
      { ...rest, ...(key === undefined ? {} : { key: keyOf(key) }), clock },
      path,
    )
  })
  add('circuitBreaker', filters.circuitBreaker, (options, path) =>
    circuitBreaker({ ...options, clock }, path),
  )
  add('faultInjection', filters.faultInjection, (options, path) =>
    faultInjection({ ...options, clock }, path),
  )
  add('bufferRequest', filters.bufferRequest, bufferRequest)
  add('responseLimit', filters.responseLimit, (maxBytes, path) => responseLimit({ maxBytes }, path))
  add('bandwidth', filters.bandwidth, bandwidth)
  add('compression', filters.compression, compression)
  add('rewriteLocation', filters.rewriteLocation, (options, path) =>
    rewriteLocation(options as Parameters<typeof rewriteLocation>[0], path),
  )
  if (filters.mirror !== undefined) {
    const { pool: name, ...rest } = filters.mirror
    const { pool } = surroundings.pool(name)
    add('mirror', { ...rest, pool }, mirror)
  }
  add('hsts', filters.hsts, hsts)
  return made
}

function ratesOf(rates: RateLimits | undefined): readonly { rate: Rate; below: Path }[] {
  if (rates === undefined) return []
  if (!Array.isArray(rates)) return [{ rate: rates as Rate, below: [] }]
  return (rates as readonly Rate[]).map((rate, index) => ({ rate, below: [index] }))
}

function rateOf({ key, ...rest }: Rate, path: string, clock: Clock): HttpFilter {
  return rateLimit({ ...rest, ...(key === undefined ? {} : { key: keyOf(key) }), clock }, path)
}

function keyOf(text: string): RequestKey {
  const [kind, name] = [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)]
  switch (kind) {
    case 'header':
      return { header: name }
    case 'cookie':
      return { cookie: name }
    case 'claim':
      return { claim: name }
    default:
      return text as 'client' | 'host' | 'route' | 'all'
  }
}

function usersOf(
  { users = {}, usersFile }: NonNullable<Filters['basicAuth']>,
  at: Path,
  read: (path: string) => string,
): Readonly<Record<string, string>> {
  if (usersFile === undefined) return users
  const place = [...at, 'usersFile']
  const lines = within(place, () => read(usersFile)).split(/\r?\n/)
  const entries = lines.flatMap((line, index): [string, string][] => {
    if (line.trim() === '' || line.startsWith('#')) return []
    const colon = line.indexOf(':')
    if (colon > 0) return [[line.slice(0, colon), line.slice(colon + 1).trim()]]
    throw faultAt(place, `line ${index + 1} of "${usersFile}" names no user`, 'write name:hash')
  })
  return { ...Object.fromEntries(entries), ...users }
}

function jwtOptionsOf(
  { jwksFile, publicKeyFiles, secretFile, ...rest }: NonNullable<Filters['jwtAuth']>,
  at: Path,
  read: (path: string) => string,
): JwtAuthOptions {
  return {
    ...rest,
    ...(jwksFile === undefined
      ? {}
      : { jwks: within([...at, 'jwksFile'], (path) => jsonOf(read(jwksFile), path)) }),
    ...(publicKeyFiles === undefined
      ? {}
      : {
          publicKeys: publicKeyFiles.map((file, index) =>
            within([...at, 'publicKeyFiles', index], () => read(file)),
          ),
        }),
    ...(secretFile === undefined
      ? {}
      : { secret: within([...at, 'secretFile'], () => read(secretFile)).split(/\r?\n/, 1)[0]! }),
  }
}

function jsonOf(text: string, path: string): NonNullable<JwtAuthOptions['jwks']> {
  try {
    return JSON.parse(text) as NonNullable<JwtAuthOptions['jwks']>
  } catch {
    throw invalidOption(path, 'the file holds no JSON')
  }
}
