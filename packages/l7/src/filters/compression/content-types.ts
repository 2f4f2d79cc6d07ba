import { invalidOption, listOption, shown } from '@steelyard/core'

/** Which content types are meant. */
export interface ContentTypes {
  /** @param contentType - the field, parameters and all. */
  has(contentType: string | undefined): boolean
}

/** What becomes clearly smaller when it is compressed. */
export const compressibleTypes: readonly string[] = Object.freeze([
  'text/*',
  '*/*+json',
  '*/*+xml',
  '*/*+text',
  'application/json',
  'application/x-ndjson',
  'application/javascript',
  'application/x-javascript',
  'application/ecmascript',
  'application/xml',
  'application/wasm',
  'application/yaml',
  'application/toml',
  'application/graphql',
  'application/sql',
  'application/vnd.ms-fontobject',
  'application/x-font-ttf',
  'font/ttf',
  'font/otf',
  'image/bmp',
  'image/x-icon',
  'image/vnd.microsoft.icon',
])

const part = String.raw`[!#$%&'+\-.^_\x60|~0-9a-z]{1,127}`
const pattern = new RegExp(`^(\\*|${part})/(\\*|(?:\\*(?=\\+))?${part})$`)

/**
 * Reads a list of content types: `text/html`, `text/*`, everything, or by structured suffix such as `application/*+json`
 * (RFC 6838 section 4.2.8). Case and parameters do not matter.
 *
 * @throws `invalid-option` with the path of the entry.
 */
export function contentTypes(list: readonly string[], path: string): ContentTypes {
  const exact = new Set<string>()
  const loose: { readonly type: string; readonly suffix: string }[] = []
  listOption(list, path).forEach((entry, index) => {
    const text = typeof entry === 'string' ? entry.trim().toLowerCase() : ''
    const [, type, subtype] = pattern.exec(text) ?? []
    if (type === undefined || subtype === undefined || (type === '*' && subtype[0] !== '*')) {
      throw invalidOption(
        `${path}[${index}]`,
        `${shown(entry)} is no content type: write one such as text/html, text/*, */* or application/*+json`,
      )
    }
    if (subtype[0] === '*') loose.push({ type, suffix: subtype.slice(1) })
    else exact.add(text)
  })
  return {
    has(contentType) {
      if (contentType === undefined) return false
      const semicolon = contentType.indexOf(';')
      const essence = (semicolon < 0 ? contentType : contentType.slice(0, semicolon))
        .trim()
        .toLowerCase()
      if (exact.has(essence)) return true
      const slash = essence.indexOf('/')
      if (slash < 1) return false
      return loose.some(
        ({ type, suffix }) =>
          (type === '*' || (type.length === slash && essence.startsWith(type))) &&
          essence.endsWith(suffix),
      )
    },
  }
}
