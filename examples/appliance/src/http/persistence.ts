import {
  type Exchange,
  type HttpFilter,
  headerPersistence,
  insertedCookie,
  keyFrom,
  learnedCookie,
} from '@steelyard/l7'
import type { DesiredRule } from '../desired/desired.ts'
import type { Path } from '../desired/path.ts'
import { within } from './fault.ts'
import type { RouteSurroundings } from './surroundings.ts'

type Persistence = NonNullable<DesiredRule['persistence']>

/**
 * The filter by which clients keep their member.
 *
 * @throws a fault with its place below `at`.
 */
export function persistenceOf(
  persistence: Persistence,
  place: string,
  at: Path,
  { stock, read, clock }: RouteSurroundings,
): HttpFilter {
  return within(at, (path) => {
    if (persistence.type === 'cookie') {
      const { type: _, secretFile, secure, ...rest } = persistence
      const secret =
        secretFile === undefined
          ? undefined
          : within([...at, 'secretFile'], () => read(secretFile)).trim()
      const options = {
        ...rest,
        ...(secret === undefined ? {} : { secret }),
        ...(secure === undefined
          ? {}
          : { secure: secure === 'auto' ? ('auto' as const) : secure === 'always' }),
      }
      return stock.take(`${place} persistence`, options, () => insertedCookie(options, path))
    }
    const { type, ...options } = persistence
    return stock.take(`${place} persistence`, persistence, () =>
      type === 'header'
        ? headerPersistence({ ...options, clock }, path)
        : learnedCookie({ ...options, clock }, path),
    )
  })
}

/** What algorithms over the request hash. */
export function hashKeyOf(parts: readonly string[], at: Path): (x: Exchange) => string | undefined {
  const keys = parts.map((part, index) =>
    within([...at, index], () => {
      const colon = part.indexOf(':')
      const name = part.slice(colon + 1)
      switch (colon < 0 ? part : part.slice(0, colon)) {
        case 'header':
          return keyFrom.header(name)
        case 'cookie':
          return keyFrom.cookie(name)
        case 'query':
          return keyFrom.query(name)
        case 'segments':
          return keyFrom.segments(Number(name))
        case 'client':
          return keyFrom.client()
        case 'host':
          return keyFrom.host()
        case 'target':
          return keyFrom.target()
        default:
          return keyFrom.path()
      }
    }),
  )
  return keys.length === 1 ? keys[0]! : keyFrom.joined(...keys)
}
