/** An absolute reference as text, cut into its parts; nothing is decoded or made canonical. */
export interface UrlText {
  /** In lower case; empty for one that begins with `//`. */
  readonly scheme: string
  /** As it was written. */
  readonly authority: string
  /** Path, query and fragment, as they were written; empty, or beginning with `/`, `?` or `#`. */
  readonly rest: string
}

/**
 * Cuts an http or https URL, or a reference that begins with `//` (RFC 3986 section 4.2). Undefined for everything
 * else: a relative reference is as good for the client as for the member.
 */
export function readUrl(text: string): UrlText | undefined {
  const match = /^(?:(https?):)?\/\/([^/?#\\]*)((?:[/?#].*)?)$/is.exec(text)
  if (match === null) return undefined
  const [, scheme = '', authority = '', rest = ''] = match
  return { scheme: scheme.toLowerCase(), authority, rest }
}

/** An authority for comparison: lower case, no trailing dot, no port that the scheme has anyway. Undefined when it names a user or nobody. */
export function plainAuthority(authority: string, scheme: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[^:@[\]]+?)\.?(?::(\d*))?$/i.exec(authority)
  if (match === null) return undefined
  const [, host = '', port = ''] = match
  const usual = scheme === 'https' ? '443' : '80'
  return port === '' || port === usual
    ? host.toLowerCase()
    : `${host.toLowerCase()}:${Number(port)}`
}

/** A prefix of paths and what stands instead. */
export interface PathMap {
  readonly from: string
  readonly to: string
}

/**
 * Replaces the prefix of a path by the first entry that fits; `from` fits whole segments only. Between `to` and what
 * follows there is one slash, however they are written. Undefined when none fits.
 *
 * @param rest - a path, with query and fragment or without.
 */
export function mapPath(rest: string, maps: readonly PathMap[]): string | undefined {
  const path = rest[0] === '/' ? rest : `/${rest}`
  for (const { from, to } of maps) {
    if (!path.startsWith(from)) continue
    const tail = path.slice(from.length)
    if (!from.endsWith('/') && !/^(?:$|[/?#])/.test(tail)) continue
    if (to.endsWith('/')) return to + (tail[0] === '/' ? tail.slice(1) : tail)
    return /^(?:$|[/?#])/.test(tail) ? to + tail : `${to}/${tail}`
  }
  return undefined
}
