import { invalidOption, parseDuration, parseRange, parseSize, quorumRule } from '@steelyard/core'
import { parseAddress, parseCidr, parseEndpoint } from '@steelyard/core/ip'
import type { FormName } from './schema/forms.ts'

type Reader = (value: string | number) => string | number

/**
 * What a text with a form of its own means: durations in milliseconds, sizes in bytes, addresses in
 * their shortest form.
 *
 * @throws `invalid-option` of the parser, without a path.
 */
export function readForm(form: FormName, value: string | number): string | number {
  return readers[form](value)
}

const readers: Readonly<Record<FormName, Reader>> = {
  'object-name': (value) => name(String(value)),
  'time-span': (value) => parseDuration(value, ''),
  'byte-size': (value) => parseSize(value, ''),
  'ip-address': (value) => parseAddress(String(value), '').text,
  'ip-block': (value) => parseCidr(String(value), '').text,
  'ip-range': (value) => addressRange(String(value)),
  endpoint: (value) => parseEndpoint(String(value), '').text,
  'backend-address': (value) => backendAddress(String(value)),
  'listen-elsewhere': (value) => listenElsewhere(String(value)),
  'server-name': (value) => serverName(String(value)),
  quorum: (value) => {
    quorumRule(value as number, 0, '')
    return value
  },
  'status-codes': (value) => statusCodes(value),
  'regular-expression': (value) => regularExpression(String(value)),
  'hex-bytes': (value) => hexBytes(String(value)),
  'file-path': (value) => value,
}

function name(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) return text
  throw invalidOption(
    '',
    `"${text}" is not a name: use 1 to 63 letters, digits, dots, hyphens and underscores, the first a letter or digit`,
  )
}

function addressRange(text: string): string {
  parseRange(text, '')
  const trimmed = text.trim()
  if (trimmed.includes('/')) return parseCidr(trimmed, '').text
  const [first = '', last = first] = trimmed
    .split('-')
    .map((part) => parseAddress(part.trim()).text)
  return first === last ? first : `${first}-${last}`
}

function backendAddress(text: string): string {
  const endpoint = parseEndpoint(text, '')
  if (endpoint.path === undefined && endpoint.host === '::' && text.startsWith(':')) {
    throw invalidOption('', `"${text}" names no host: write host:port, [v6]:port or unix:/path`)
  }
  if (endpoint.path === undefined && endpoint.port === 0) {
    throw invalidOption('', `"${text}" needs a port: write one from 1 to 65535`)
  }
  return endpoint.text
}

function listenElsewhere(text: string): string {
  if (text.startsWith('unix:')) return parseEndpoint(text, '').text
  // systemd allows printable ASCII without a colon in descriptor names (sd_listen_fds_with_names).
  if (/^fd:(?:\d{1,6}|[!-9;-~]{1,100})$/.test(text)) return text
  throw invalidOption('', `"${text}" is no place to listen: write unix:/path, fd:3 or fd:name`)
}

function serverName(text: string): string {
  const bare = text.startsWith('*.') ? text.slice(2) : text
  const labels = bare.toLowerCase().replace(/\.$/, '').split('.')
  const isName = labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
  // A last label of digits makes it an IPv4 address, for which no client may ask (RFC 6066 §3).
  if (isName && bare.length <= 253 && !/^\d+$/.test(labels.at(-1) ?? '')) {
    return `${text.startsWith('*.') ? '*.' : ''}${labels.join('.')}`
  }
  throw invalidOption('', `"${text}" is not a server name: write www.example.com or *.example.com`)
}

function statusCodes(value: string | number): string {
  const [from = '', to = from, ...more] = String(value).split('-')
  const isCode = (text: string): boolean => /^[1-5]\d\d$/.test(text)
  if (isCode(from) && isCode(to) && from <= to && more.length === 0) {
    return from === to ? from : `${from}-${to}`
  }
  throw invalidOption('', `"${value}" is not an HTTP status: write 200, or a range such as 200-299`)
}

function regularExpression(text: string): string {
  try {
    new RegExp(text)
    return text
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^.*: /s, '') : String(error)
    throw invalidOption(
      '',
      `"${text}" is not a regular expression (${why}): write it in JavaScript's syntax`,
    )
  }
}

function hexBytes(text: string): string {
  const digits = text.replaceAll(' ', '')
  if (/^(?:[0-9A-Fa-f]{2})*$/.test(digits)) return digits.toLowerCase()
  throw invalidOption(
    '',
    `"${text}" is not hexadecimal: write two digits for each byte, as in "0d 0a"`,
  )
}
