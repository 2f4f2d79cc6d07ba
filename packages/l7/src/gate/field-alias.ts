import { claimNames, claimPrefixes } from './claimed-fields.ts'

/** What a field's name looks like to whoever takes all separators for one, as CGI and its heirs do. */
export const Alias = {
  /** Itself. */
  none: 0,
  /** It has an underscore, and is like no name that matters. */
  underscore: 1,
  /** It would be read as a field that proxies set: X_Forwarded_For. */
  trusted: 2,
  /** It would be read as a field that frames or routes the message: Transfer_Encoding, Content--Length. */
  framing: 3,
} as const

/** A number of {@link Alias}. */
export type AliasKind = (typeof Alias)[keyof typeof Alias]

const framing: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const trusted: ReadonlySet<string> = new Set([
  ...claimNames,
  'authorization',
  'cookie',
  'proxy-authorization',
  'traceparent',
  'via',
  'x-request-id',
])

const hyphen = 1
const separator = 2
const kinds: Uint8Array = makeKinds()

function makeKinds(): Uint8Array {
  const table = new Uint8Array(256).fill(separator)
  table.fill(0, 0x30, 0x3a)
  table.fill(0, 0x41, 0x5b)
  table.fill(0, 0x61, 0x7b)
  table[0x2d] = hyphen
  return table
}

/** Which {@link Alias} a name is. Names of letters, digits and single hyphens are none, and cost one look at each byte. */
export function aliasKind(bytes: Uint8Array, start: number, end: number): AliasKind {
  let before = hyphen
  for (let i = start; i < end; i++) {
    const kind = kinds[bytes[i]!]!
    if (kind !== 0 && (kind === separator || before !== 0)) return oddKind(bytes, start, end)
    before = kind
  }
  return before === hyphen ? oddKind(bytes, start, end) : Alias.none
}

function oddKind(bytes: Uint8Array, start: number, end: number): AliasKind {
  let name = ''
  let gap = false
  let underscore = false
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (kinds[byte] !== 0) {
      if (byte === 0x5f) underscore = true
      gap = name !== ''
      continue
    }
    if (gap) name += '-'
    gap = false
    name += String.fromCharCode(byte >= 65 && byte <= 90 ? byte | 32 : byte)
  }
  if (framing.has(name)) return Alias.framing
  if (trusted.has(name) || claimPrefixes.some((prefix) => name.startsWith(prefix))) {
    return Alias.trusted
  }
  return underscore ? Alias.underscore : Alias.none
}
