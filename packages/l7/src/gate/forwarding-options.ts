import { invalidOption, objectOption, shown } from '@steelyard/core'
import { isToken } from '../wire/checked-field.ts'
import { Head } from '../wire/head.ts'
import { type CertificateField, certificateFieldNames } from './certificate-lines.ts'
import { choiceOption, choicesOption, countOption } from './option-choice.ts'
import { type TrustOptions, type TrustSettings, trustSettings } from './trusted-client.ts'

/** A field of the X-Forwarded family, by its last word. */
export type ForwardedField = 'for' | 'proto' | 'host' | 'port' | 'real-ip'

const forwardedFields: readonly ForwardedField[] = ['for', 'proto', 'host', 'port', 'real-ip']

/** What backends are told about the client and the way a request came. */
export interface ForwardingOptions extends TrustOptions {
  /**
   * `x`: the X-Forwarded family; `rfc7239`: Forwarded; `both`; `none`. What untrusted clients sent of either is
   * dropped in any case. Default `x`.
   */
  readonly forwarded?: 'x' | 'rfc7239' | 'both' | 'none'
  /**
   * Which of the family: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port, X-Real-IP. Default
   * all: what users of Traefik and of common nginx configurations find.
   */
  readonly fields?: readonly ForwardedField[]
  /**
   * Facts of the client's certificate as X-SSL-Client-Verify, -Has-Cert, -DN, -CN, -SHA1, -Not-Before, -Not-After and
   * X-SSL-Issuer, in HAProxy's spelling, as Octavia inserts them; `true` for all. With any, all X-SSL fields of clients
   * are dropped, also of trusted ones. Default: none.
   */
  readonly certificate?: boolean | readonly CertificateField[]
  /** Adds a line to Via: in requests, as RFC 9110 section 7.6.3 demands; also in responses; or never, which also gives loop detection up. Default `requests`. */
  readonly via?: 'requests' | 'both' | 'none'
  /**
   * Our name in Via and Proxy-Status: a token that no other proxy has, the same in all workers. Default: `lb-` and
   * 12 random characters.
   */
  readonly pseudonym?: string
  /** How often a request may have come by us before; once more is answered by 508. Default 5. */
  readonly maxLoops?: number
}

/** {@link ForwardingOptions}, completed. */
export interface ForwardingSettings {
  readonly trust: TrustSettings
  readonly xFor: boolean
  readonly xProto: boolean
  readonly xHost: boolean
  readonly xPort: boolean
  readonly realIp: boolean
  readonly rfc7239: boolean
  readonly certificate: readonly CertificateField[]
  readonly viaRequests: boolean
  readonly viaResponses: boolean
  readonly pseudonym: string
  readonly maxLoops: number
  /** Our Via line, for messages that came by HTTP/1.0, HTTP/1.1 and HTTP/2. */
  readonly viaLines: { readonly 10: Head; readonly 11: Head; readonly 20: Head }
}

/**
 * Reads {@link ForwardingOptions}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function forwardingSettings(
  options: ForwardingOptions = {},
  path = 'forwarding',
): ForwardingSettings {
  const given = objectOption(options, path)
  const style = choiceOption(
    given.forwarded ?? 'x',
    ['x', 'rfc7239', 'both', 'none'],
    `${path}.forwarded`,
  )
  const fields = choicesOption(given.fields ?? forwardedFields, forwardedFields, `${path}.fields`)
  const via = choiceOption(given.via ?? 'requests', ['requests', 'both', 'none'], `${path}.via`)
  const pseudonym = pseudonymOption(given.pseudonym ?? randomName(), `${path}.pseudonym`)
  const tells = (field: ForwardedField): boolean =>
    (style === 'x' || style === 'both') && fields.includes(field)
  return Object.freeze({
    trust: trustSettings(given, path),
    xFor: tells('for'),
    xProto: tells('proto'),
    xHost: tells('host'),
    xPort: tells('port'),
    realIp: tells('real-ip'),
    rfc7239: style === 'rfc7239' || style === 'both',
    certificate: certificateOption(given.certificate ?? false, `${path}.certificate`),
    viaRequests: via !== 'none',
    viaResponses: via === 'both',
    pseudonym,
    maxLoops: countOption(given.maxLoops ?? 5, 0, 100, `${path}.maxLoops`),
    viaLines: Object.freeze({
      10: viaLine('1.0', pseudonym),
      11: viaLine('1.1', pseudonym),
      20: viaLine('2.0', pseudonym),
    }),
  })
}

function certificateOption(
  value: boolean | readonly CertificateField[],
  path: string,
): readonly CertificateField[] {
  if (typeof value === 'boolean') return value ? certificateFieldNames : []
  return choicesOption(value, certificateFieldNames, path)
}

function pseudonymOption(value: string, path: string): string {
  if (typeof value === 'string' && value.length <= 100 && isToken(value)) return value
  throw invalidOption(path, `${shown(value)} is no token, such as edge-1`)
}

function randomName(): string {
  let name = 'lb-'
  for (const byte of crypto.getRandomValues(new Uint8Array(12))) {
    name += 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]
  }
  return name
}

function viaLine(version: string, pseudonym: string): Head {
  const lines = new Head(128, 1)
  lines.add('Via', `${version} ${pseudonym}`)
  return lines
}
