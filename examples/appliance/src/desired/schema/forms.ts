import Type from 'typebox'
import type { Notes } from './field.ts'
import type { TMeaning } from './meaning.ts'

/** The texts with a form of their own; `read-form.ts` reads each of them. */
export type FormName =
  | 'object-name'
  | 'time-span'
  | 'byte-size'
  | 'ip-address'
  | 'ip-block'
  | 'ip-range'
  | 'endpoint'
  | 'backend-address'
  | 'listen-elsewhere'
  | 'server-name'
  | 'quorum'
  | 'status-codes'
  | 'regular-expression'
  | 'hex-bytes'
  | 'file-path'

interface Bounds {
  /** After reading: milliseconds, bytes. */
  readonly minimum?: number
  readonly maximum?: number
}

function form<Written, Meant>(
  format: FormName,
  keywords: Readonly<Record<string, unknown>>,
  notes: Notes,
): TMeaning<Written, Meant> {
  return Type.Unsafe<Written>({ format, ...keywords, ...notes }) as unknown as TMeaning<
    Written,
    Meant
  >
}

const day = 86_400_000

/** A span of time: milliseconds, or text such as `5s`. At most 24 days, which is what timers can wait. */
export function duration(notes: Notes & Bounds): TMeaning<string | number, number> {
  return form(
    'time-span',
    {
      type: ['string', 'number'],
      pattern: '^(?:\\d+(?:\\.\\d+)?(?:ms|s|m|h|d))+$',
      minimum: 0,
      maximum: 24 * day,
    },
    notes,
  )
}

/** An amount of bytes, or text such as `64KiB`. */
export function size(notes: Notes & Bounds): TMeaning<string | number, number> {
  return form(
    'byte-size',
    {
      type: ['string', 'integer'],
      pattern: '^\\d+(?:\\.\\d+)?\\s*(?:[kKMG]i?B|B)?$',
      minimum: 0,
      maximum: 2 ** 40,
    },
    notes,
  )
}

/** An IP address. */
export function ipAddress(notes: Notes): TMeaning<string, string> {
  return form('ip-address', { type: 'string', maxLength: 64 }, notes)
}

/** `address/prefix`, or one address. */
export function ipBlock(notes: Notes): TMeaning<string, string> {
  return form('ip-block', { type: 'string', maxLength: 64 }, notes)
}

/** One address, `address/prefix`, or `first-last`. */
export function ipRange(notes: Notes): TMeaning<string, string> {
  return form('ip-range', { type: 'string', maxLength: 100 }, notes)
}

/** `host:port`, `[v6]:port`, `:port` or `unix:/path`. */
export function endpoint(notes: Notes): TMeaning<string, string> {
  return form('endpoint', { type: 'string', maxLength: 270 }, notes)
}

/** Where a member listens: an endpoint with a port above 0, or a unix socket. */
export function backendAddress(notes: Notes): TMeaning<string, string> {
  return form('backend-address', { type: 'string', maxLength: 270 }, notes)
}

/** `unix:/path`, `fd:3`, or `fd:name`. */
export function listenElsewhere(notes: Notes): TMeaning<string, string> {
  return form(
    'listen-elsewhere',
    { type: 'string', pattern: '^(?:unix:/|fd:)', maxLength: 112 },
    notes,
  )
}

/** A DNS name as TLS clients ask for; `*.` in front stands for one label or more. */
export function serverName(notes: Notes): TMeaning<string, string> {
  return form('server-name', { type: 'string', maxLength: 255 }, notes)
}

/** A whole number of members, or a share such as `50%`. */
export function quorum(notes: Notes): TMeaning<string | number, number | `${number}%`> {
  return form(
    'quorum',
    { type: ['string', 'integer'], pattern: '^\\d+(?:\\.\\d+)?%$', minimum: 1, maximum: 65_536 },
    notes,
  )
}

/** An HTTP status, or a range such as `200-299`. */
export function statusCodes(notes: Notes): TMeaning<string | number, string> {
  return form(
    'status-codes',
    {
      type: ['string', 'integer'],
      pattern: '^[1-5]\\d\\d(?:-[1-5]\\d\\d)?$',
      minimum: 100,
      maximum: 599,
    },
    notes,
  )
}

/** A regular expression in JavaScript's syntax. */
export function regularExpression(notes: Notes): TMeaning<string, string> {
  return form('regular-expression', { type: 'string', minLength: 1, maxLength: 1024 }, notes)
}

/** Bytes in hexadecimal; spaces are allowed. */
export function hexBytes(notes: Notes): TMeaning<string, string> {
  return form(
    'hex-bytes',
    { type: 'string', pattern: '^(?:[0-9A-Fa-f]{2} ?)*$', maxLength: 8192 },
    notes,
  )
}

/** A file; a relative path is taken from the directory of the document. */
export function filePath(notes: Notes): TMeaning<string, string> {
  return form(
    'file-path',
    { type: 'string', minLength: 1, maxLength: 4096, pattern: '^[^\\u0000-\\u001f]*$' },
    notes,
  )
}
