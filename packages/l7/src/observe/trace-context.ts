/** A `traceparent` field (W3C Trace Context Level 2, section 3.2). */
export interface TraceParent {
  /** 32 hexadecimal digits in lower case, not all 0. */
  readonly traceId: string
  /** 16 hexadecimal digits in lower case, not all 0. */
  readonly parentId: string
  /** Of the flags that are known: 1 sampled, 2 the trace's id is random. */
  readonly flags: number
}

/** The caller recorded this trace. */
export const sampledFlag = 1
/** The right-most seven bytes of the trace's id are random. */
export const randomFlag = 2

const parentShape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const onlyZeros = /^0+$/

/**
 * Reads a `traceparent`; undefined for what is none. Of versions that are not known yet the first four parts are read,
 * as the specification says; `ff` is no version, and version `00` has nothing behind the flags.
 */
export function parseTraceParent(text: string): TraceParent | undefined {
  // Future versions may be longer, but nobody needs to be this long.
  if (text.length < 55 || text.length > 512) return undefined
  const match = parentShape.exec(text)
  if (match === null) return undefined
  const [, version, traceId, parentId, flags, rest] = match
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (onlyZeros.test(traceId!) || onlyZeros.test(parentId!)) return undefined
  return {
    traceId: traceId!,
    parentId: parentId!,
    flags: Number.parseInt(flags!, 16) & (sampledFlag | randomFlag),
  }
}

/** The text of a `traceparent`, always of version `00`. */
export function traceParentText(traceId: string, spanId: string, flags: number): string {
  return `00-${traceId}-${spanId}-0${flags}`
}

/** Members of a `tracestate` at most (section 3.3.1.1). */
const mostMembers = 32
/** Members longer than this go first when it is too long (section 3.3.1.5). */
const longMember = 128

const memberKey = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/
const memberValue = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/**
 * Reads the lines of `tracestate` and makes one of them; undefined when they are not valid, or empty, and must not be
 * passed on. One that is too long loses members above 128 characters, then the last ones.
 *
 * @param most - characters that are passed on at most; the specification asks for 512 at least.
 */
export function readTraceState(lines: readonly string[], most = 512): string | undefined {
  const members: string[] = []
  const keys = new Set<string>()
  let length = -1
  for (const line of lines) {
    if (line.length > 16_384) return undefined
    for (const part of line.split(',')) {
      const member = part.replaceAll(/^[\t ]+|[\t ]+$/g, '')
      if (member === '') continue
      const equals = member.indexOf('=')
      const key = member.slice(0, Math.max(0, equals))
      if (!memberKey.test(key) || !memberValue.test(member.slice(equals + 1))) return undefined
      if (keys.has(key) || members.length === mostMembers) return undefined
      keys.add(key)
      members.push(member)
      length += member.length + 1
    }
  }
  for (let at = members.length - 1; at >= 0 && length > most; at--) {
    const size = members[at]!.length
    if (size <= longMember) continue
    members.splice(at, 1)
    length -= size + 1
  }
  while (length > most) length -= members.pop()!.length + 1
  return members.length === 0 ? undefined : members.join(',')
}
