/**
 * The values of one field of a distinguished name in the form of `TlsFacts`: `CN=client one, O=Tests`, the parts of one
 * level joined by ` + `, special characters escaped by `\` (RFC 2253 section 2.4). So no value can pass for a field.
 *
 * @param field - such as `CN`, `O`, `emailAddress`; in any case.
 */
export function nameFields(distinguishedName: string, field: string): string[] {
  const wanted = field.toLowerCase()
  const values: string[] = []
  const { length } = distinguishedName
  let at = 0
  while (at < length) {
    const equal = distinguishedName.indexOf('=', at)
    if (equal < 0) break
    const name = distinguishedName.slice(at, equal).toLowerCase()
    let value = ''
    at = equal + 1
    for (; at < length && !separatesAt(distinguishedName, at); at++) {
      const char = distinguishedName[at]!
      if (char !== '\\') {
        value += char
        continue
      }
      const hex = /^[0-9A-F]{2}/i.exec(distinguishedName.slice(at + 1, at + 3))?.[0]
      value +=
        hex === undefined
          ? (distinguishedName[at + 1] ?? '')
          : String.fromCharCode(Number.parseInt(hex, 16))
      at += hex?.length ?? 1
    }
    if (name === wanted) values.push(value)
    at += distinguishedName.startsWith(' + ', at) ? 3 : 2
  }
  return values
}

function separatesAt(text: string, at: number): boolean {
  return text.startsWith(', ', at) || text.startsWith(' + ', at)
}
