/** One member of a list with weights, such as `gzip;q=0.5`. */
export interface QualityItem {
  /** In lower case, without its parameters. */
  readonly value: string
  /** Thousandths: 0 for "not this one", 1000 for the most wanted. */
  readonly q: number
}

/** Members read at most: the field is the client's, and nobody needs more. */
const mostItems = 64

/**
 * Reads a list with weights (RFC 9110 section 12.4.2), such as Accept or Accept-Encoding. Members without a value, or
 * whose weight cannot be read, are left out: what a client did not clearly ask for, it does not get.
 */
export function qualityList(field: string): QualityItem[] {
  const items: QualityItem[] = []
  for (let at = 0; at <= field.length && items.length < mostItems; ) {
    const end = partEnd(field, at, ',')
    const item = itemOf(field.slice(at, end))
    if (item !== undefined) items.push(item)
    at = end + 1
  }
  return items
}

/** Where the part that begins at `from` ends: at a separator that is not within quotes. */
function partEnd(text: string, from: number, separator: ',' | ';'): number {
  let quoted = false
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (quoted && char === '\\') at += 1
    else if (char === '"') quoted = !quoted
    else if (char === separator && !quoted) return at
  }
  return text.length
}

function itemOf(member: string): QualityItem | undefined {
  let end = partEnd(member, 0, ';')
  const value = member.slice(0, end).trim().toLowerCase()
  if (value === '') return undefined
  while (end < member.length) {
    const start = end + 1
    end = partEnd(member, start, ';')
    const parameter = member.slice(start, end).trim()
    if (!/^q\s*=/i.test(parameter)) continue
    const weight = parameter.slice(parameter.indexOf('=') + 1).trim()
    if (!/^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight)) return undefined
    return { value, q: Math.round(Number(weight) * 1000) }
  }
  return { value, q: 1000 }
}
