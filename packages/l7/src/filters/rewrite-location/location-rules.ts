import { invalidOption, listOption, objectOption, shown } from '@steelyard/core'
import { mapPath, type PathMap, plainAuthority, readUrl } from './url-text.ts'

/** A URL, or the beginning of one, and what stands instead. */
export interface LocationMap {
  /** `http://10.0.0.11:8080/app/`, `https://internal.example`, or a path such as `/app/`. */
  readonly from: string
  /** A URL, or a path: then scheme and authority are those that the client used. */
  readonly to: string
}

/** What a member's reference is held against. */
export interface LocationContext {
  /** Authorities of the member that clients need not know, as {@link plainAuthority} writes them. */
  readonly own: readonly string[]
  /** Authorities that the client uses itself: a step from http to https among them is meant. */
  readonly shared: readonly string[]
  /** How the client reached us, such as `https://www.example.com`; empty when it named no host. */
  readonly origin: string
}

/** Changes references; the same text when there is nothing to change. */
export interface LocationRules {
  rewrite(reference: string, context: LocationContext): string
}

interface UrlMap {
  /** Undefined for any. */
  readonly scheme: string | undefined
  readonly authority: string
  readonly path: string
  readonly to: string
}

const longestMap = 2048

/**
 * Compiles maps; of several that fit, the longest path wins.
 *
 * @throws `invalid-option` with the path of the map.
 */
export function locationRules(maps: readonly LocationMap[], path: string): LocationRules {
  const urls: UrlMap[] = []
  const paths: PathMap[] = []
  listOption(maps, path).forEach((entry, index) => {
    const at = `${path}[${index}]`
    const { from, to } = objectOption(entry, at)
    const target = referenceOption(to, `${at}.to`, absoluteOrPath)
    const url = readUrl(referenceOption(from, `${at}.from`, anyReference))
    if (url === undefined) {
      paths.push({ from, to: target })
      return
    }
    const { scheme, authority, rest } = url
    const plain = plainAuthority(authority, scheme)
    if (plain === undefined) throw invalidOption(`${at}.from`, `${shown(from)} names no host`)
    urls.push({
      scheme: scheme === '' ? undefined : scheme,
      authority: plain,
      path: rest,
      to: target,
    })
  })
  urls.sort((a, b) => b.path.length - a.path.length)
  paths.sort((a, b) => b.from.length - a.from.length)

  return {
    rewrite(reference, { own, shared, origin }) {
      const url = readUrl(reference)
      if (url === undefined) {
        const mapped = reference.startsWith('/') ? mapPath(reference, paths) : undefined
        return mapped === undefined ? reference : absolute(mapped, '')
      }
      const plain = plainAuthority(url.authority, url.scheme)
      if (plain === undefined) return reference
      for (const { scheme, authority, path: prefix, to } of urls) {
        if (authority !== plain || (scheme !== undefined && scheme !== url.scheme)) continue
        const mapped = mapPath(url.rest, [{ from: prefix, to }])
        if (mapped !== undefined) return absolute(mapped, origin)
      }
      const isShared = shared.includes(plain)
      if (!isShared && !own.includes(plain)) return reference
      const mapped = mapPath(url.rest, paths)
      if (isShared && url.scheme === 'https' && !origin.startsWith('https:')) {
        return mapped === undefined ? reference : absolute(mapped, `https://${url.authority}`)
      }
      return absolute(mapped ?? url.rest, origin)
    },
  }
}

/** What is a path already goes to where the client came from. */
function absolute(text: string, origin: string): string {
  if (/^https?:\/\//i.test(text)) return text
  const path = text === '' || origin !== '' || text[0] === '/' ? text : `/${text}`
  // A path that begins with two slashes would name a host.
  if (origin === '') return path === '' ? '/' : path.replace(/^[/\\]{2,}/, '/')
  return origin + path
}

const anyReference = /^(?:(?:https?:)?\/\/[^/?#\\@\s]+)?(?:\/(?!\/)[\x21-\x7e]*)?$/i
const absoluteOrPath = /^(?:https?:\/\/[^/?#\\@\s]+)?(?:\/(?!\/)[\x21-\x7e]*)?$/i

function referenceOption(value: string, path: string, form: RegExp): string {
  const fits = typeof value === 'string' && value.length <= longestMap && value !== ''
  if (fits && form.test(value)) return value
  throw invalidOption(
    path,
    `${shown(value)} is neither a URL nor a path: write http://host:port/path or /path`,
  )
}
