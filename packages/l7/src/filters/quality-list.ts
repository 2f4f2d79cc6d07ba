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
  let at = 0
  while (at <= field.length && items.length < mostItems) {
    const end = memberEnd(field, at)
    const item = itemOf(field.slice(at, end))
    if (item !== undefined) items.push(item)
    at = end + 1
  }
  return items
}

/** Where the member that begins at `from` ends: at a comma that is not within quotes. */
function memberEnd(field: string, from: number): number {
  let quoted = false
  for (let at = from; at < field.length; at++) {
    const char = field[at]
    if (quoted && char === '\\') at += 1
    else if (char === '"') quoted = !quoted
    else if (char === ',' && !quoted) return at
  }
  return field.length
}

function itemOf(member: string): QualityItem | undefined {
  const [head = '', ...parameters] = member.split(';')
  const value = head.trim().toLowerCase()
  if (value === '') return undefined
  for (const parameter of parameters) {
    const text = parameter.trim()
    if (!/^q\s*=/i.test(text)) continue
    const weight = text.slice(text.indexOf('=') + 1).trim()
    if (!/^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight)) return undefined
    return { value, q: Math.round(Number(weight) * 1000) }
  }
  return { value, q: 1000 }
}
