import { hexOctet } from '../wire/octet-class.ts'

/** Parameters that are read. */
const mostParameters = 1000

/**
 * The parameters of a query as forms write them (WHATWG URL, application/x-www-form-urlencoded): divided by `&`, `+` is
 * a space, escapes are decoded as UTF-8, broken ones stay as they are, and a parameter without `=` is empty.
 */
export function readQuery(query: string | undefined): ReadonlyMap<string, readonly string[]> {
  const parameters = new Map<string, string[]>()
  if (query === undefined) return parameters
  let at = 0
  for (let count = 0; at < query.length && count < mostParameters; ) {
    const ampersand = query.indexOf('&', at)
    const end = ampersand < 0 ? query.length : ampersand
    if (end > at) {
      count += 1
      const equals = query.indexOf('=', at)
      const nameEnd = equals >= 0 && equals < end ? equals : end
      const name = decoded(query.slice(at, nameEnd))
      const value = nameEnd < end ? decoded(query.slice(nameEnd + 1, end)) : ''
      const values = parameters.get(name)
      if (values === undefined) parameters.set(name, [value])
      else values.push(value)
    }
    at = end + 1
  }
  return parameters
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function decoded(text: string): string {
  if (!/[%+]/.test(text)) return text
  const bytes = new Uint8Array(text.length)
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x25 && i + 2 < text.length) {
      const high = hexOctet[text.charCodeAt(i + 1)] ?? 255
      const low = hexOctet[text.charCodeAt(i + 2)] ?? 255
      if (high < 16 && low < 16) {
        bytes[length++] = high * 16 + low
        i += 2
        continue
      }
    }
    bytes[length++] = code === 0x2b ? 0x20 : code
  }
  return decoder.decode(bytes.subarray(0, length))
}
