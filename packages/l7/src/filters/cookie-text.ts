/** One attribute of a Set-Cookie line. */
export interface CookieAttribute {
  /** As it was written. */
  readonly name: string
  /** Undefined when it has none. */
  readonly value: string | undefined
}

/** A Set-Cookie line, taken apart (RFC 6265 section 5.2). */
export interface SetCookieText {
  readonly name: string
  readonly value: string
  readonly attributes: readonly CookieAttribute[]
}

/** Reads a Set-Cookie line; undefined for one without a name. */
export function readSetCookie(line: string): SetCookieText | undefined {
  const [pair = '', ...rest] = line.split(';')
  const equals = pair.indexOf('=')
  const name = equals < 0 ? '' : pair.slice(0, equals).trim()
  if (name === '') return undefined
  return {
    name,
    value: pair.slice(equals + 1).trim(),
    attributes: rest.map((part) => {
      const at = part.indexOf('=')
      return at < 0
        ? { name: part.trim(), value: undefined }
        : { name: part.slice(0, at).trim(), value: part.slice(at + 1).trim() }
    }),
  }
}

/** Writes a Set-Cookie line. */
export function writeSetCookie({ name, value, attributes }: SetCookieText): string {
  let line = `${name}=${value}`
  for (const attribute of attributes) {
    if (attribute.name === '' && attribute.value === undefined) continue
    line += `; ${attribute.name}`
    if (attribute.value !== undefined) line += `=${attribute.value}`
  }
  return line
}

/** The last attribute of that name, which is the one that counts; in any case. */
export function attributeOf(cookie: SetCookieText, lowerName: string): CookieAttribute | undefined {
  return cookie.attributes.findLast(({ name }) => name.toLowerCase() === lowerName)
}

/** The same cookie with that attribute, instead of all of its name; with `null` without it. */
export function withAttribute(
  cookie: SetCookieText,
  name: string,
  value: string | undefined | null,
): SetCookieText {
  const lower = name.toLowerCase()
  const attributes = cookie.attributes.filter((attribute) => attribute.name.toLowerCase() !== lower)
  return {
    ...cookie,
    attributes: value === null ? attributes : [...attributes, { name, value }],
  }
}

/** Does it tell the client to forget the cookie? An Expires in the past is not looked at: nobody here reads dates. */
export function isRemoval(cookie: SetCookieText): boolean {
  const maxAge = attributeOf(cookie, 'max-age')?.value
  return maxAge !== undefined && /^-?\d+$/.test(maxAge) && Number(maxAge) <= 0
}

/**
 * A Cookie line with the cookies of one name changed; pairs of other names stay as they were written.
 *
 * @param change - given the value, tells the new one; undefined removes the pair.
 * @returns the same text when there is none of that name, undefined when no cookie is left.
 */
export function editCookieLine(
  line: string,
  name: string,
  change: (value: string) => string | undefined,
): string | undefined {
  let found = false
  const kept: string[] = []
  for (const part of line.split(';')) {
    const pair = part.trim()
    const equals = pair.indexOf('=')
    if (equals < 0 || pair.slice(0, equals).trimEnd() !== name) {
      if (pair !== '') kept.push(pair)
      continue
    }
    found = true
    const value = change(pair.slice(equals + 1).trimStart())
    if (value !== undefined) kept.push(`${name}=${value}`)
  }
  if (!found) return line
  return kept.length === 0 ? undefined : kept.join('; ')
}

/** Name and value of each cookie in a Cookie line, as they were sent. */
export function* cookiePairs(line: string): Generator<readonly [name: string, value: string]> {
  for (const part of line.split(';')) {
    const equals = part.indexOf('=')
    if (equals > 0) yield [part.slice(0, equals).trim(), part.slice(equals + 1).trim()]
  }
}
