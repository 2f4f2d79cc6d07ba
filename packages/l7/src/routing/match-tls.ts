import { flagOption, invalidOption, objectOption, shown } from '@steelyard/core'
import type { TlsFacts } from '@steelyard/l4'
import type { HttpRequest } from '../exchange/http-request.ts'
import { wholeOption, wordOption } from '../filters/number-option.ts'
import { nameFields } from './distinguished-name.ts'
import { hostFits, parseHostPattern } from './host-pattern.ts'
import type { Matcher } from './route.ts'
import { compileTextTest, type TextTestInit, textTestOption } from './text-test.ts'

/** How {@link clientCertificate} looks. */
export interface ClientCertificateOptions {
  /** It must also be valid and from a trusted authority. Default `true`. */
  readonly verified?: boolean
}

/** Requests over TLS with a client certificate. */
export function clientCertificate(options: ClientCertificateOptions = {}): Matcher {
  const verified = flagOption(
    objectOption(options, 'clientCertificate').verified ?? true,
    'clientCertificate.verified',
  )
  return Object.freeze({
    kind: 'test',
    subject: 'client certificate',
    wants: verified ? 'a verified one' : 'any',
    test: ({ tls }: HttpRequest) => {
      const certificate = tls?.peerCertificate
      return certificate !== undefined && (!verified || certificate.verified)
    },
    actual: ({ tls }: HttpRequest) => tls?.peerCertificate?.subject,
  })
}

/**
 * The result of verifying a client's certificate in OpenSSL's numbers: 0 when it is good and when there is none, as
 * HAProxy's `ssl_c_verify` has it, else 1 (unspecified): a listener that asks for certificates lets no bad one in, so that
 * more is not known. Undefined without TLS.
 */
export function verifyResultOf(tls: TlsFacts | undefined): number | undefined {
  if (tls === undefined) return undefined
  return tls.peerCertificate === undefined || tls.peerCertificate.verified ? 0 : 1
}

/**
 * Requests over TLS with this result of verifying the client's certificate, in OpenSSL's numbers: 0 is good, 1 is not.
 * Clients without certificate have 0: join it with {@link clientCertificate}.
 *
 * @throws `invalid-option` for what is no such number.
 */
export function verifyResult(code: number): Matcher {
  const wanted = wholeOption(code, 'verifyResult', 0, 0x7fffffff, 'verify result')
  return Object.freeze({
    kind: 'test',
    subject: 'verify result',
    wants: String(wanted),
    test: ({ tls }: HttpRequest) => verifyResultOf(tls) === wanted,
    actual: ({ tls }: HttpRequest) => verifyResultOf(tls)?.toString(),
  })
}

/** Whose name {@link distinguishedName} looks at. */
export interface DistinguishedNameOptions {
  /** Default `subject`. */
  readonly of?: 'subject' | 'issuer'
}

/**
 * Requests with a client certificate whose distinguished name has the field, such as `CN`, `O` or `emailAddress`, with a
 * value that passes the test. The field's name is taken in any case, its value as the test says.
 */
export function distinguishedName(
  field: string,
  test: TextTestInit,
  options: DistinguishedNameOptions = {},
): Matcher {
  if (typeof field !== 'string' || !/^[A-Za-z][A-Za-z0-9-]*$/.test(field)) {
    throw invalidOption('distinguishedName', `${shown(field)} is no field of a name: write CN`)
  }
  const whose = wordOption(
    objectOption(options, 'distinguishedName').of ?? 'subject',
    ['subject', 'issuer'],
    'distinguishedName.of',
  )
  const { test: passes, wants } = compileTextTest(
    textTestOption(test, `distinguishedName.${field}`),
  )
  const valuesOf = ({ tls }: HttpRequest): string[] =>
    tls?.peerCertificate === undefined ? [] : nameFields(tls.peerCertificate[whose], field)
  return Object.freeze({
    kind: 'test',
    subject: `${whose} ${field}`,
    wants,
    test: (request: HttpRequest) => valuesOf(request).some(passes),
    actual: (request: HttpRequest) => {
      const values = valuesOf(request)
      return values.length === 0 ? undefined : values.join(', ')
    },
  })
}

/** Requests over TLS that asked for one of these server names (SNI), exact or `*.example.com` for every name below it. */
export function serverName(...names: readonly string[]): Matcher {
  if (names.length === 0) throw invalidOption('serverName', 'needs at least one name')
  const patterns = names.map((name, index) => {
    const pattern = parseHostPattern(name, `serverName[${index}]`)
    if (pattern.name !== '' && pattern.port === 0) return pattern
    throw invalidOption(`serverName[${index}]`, `${shown(name)} is no server name`)
  })
  return Object.freeze({
    kind: 'test',
    subject: 'server name',
    wants: patterns.map(({ text }) => text).join(' or '),
    test: ({ tls }: HttpRequest) => {
      const name = tls?.serverName
      if (name === undefined) return false
      for (const pattern of patterns) if (hostFits(pattern, name)) return true
      return false
    },
    actual: ({ tls }: HttpRequest) => tls?.serverName,
  })
}
