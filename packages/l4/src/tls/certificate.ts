import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import {
  bytesOption,
  flagOption,
  invalidOption,
  listOption,
  objectOption,
  textOption,
} from '@steelyard/core'
import { parseOcspResponse } from './ocsp-response.ts'
import { parseNamePattern } from './server-name.ts'

/** One certificate with its key, as it is configured. */
export interface CertificateInit {
  /** PEM: the server's own certificate first, then the intermediates. */
  readonly cert: string | Uint8Array
  /** PEM. */
  readonly key: string | Uint8Array
  /** Opens an encrypted key. */
  readonly passphrase?: string
  /** PEM of intermediates that `cert` does not have. */
  readonly ca?: string | Uint8Array
  /** The server names it is for, exact or `*.example.com`. Default: the DNS names of the certificate. */
  readonly names?: readonly string[]
  /**
   * DER of the issuer's OCSP response (RFC 6960), stapled for clients that ask for one (RFC 6066 section 8). It expires:
   * hand in a new one by {@link TlsContexts.replace} before its `nextUpdate`. Where certificates of several kinds of key
   * share a name, none is stapled, because OpenSSL chooses among them too late. Default: none.
   */
  readonly ocspResponse?: Uint8Array
  /** Shown to clients that ask for no name, or for one that no certificate has. Default: the first certificate is. */
  readonly default?: boolean
}

/** What may be told of a certificate: evidence for status, metrics and logs. */
export interface CertificateFacts {
  /** Server names it is used for; `*.example.com` stands for one label. */
  readonly names: readonly string[]
  /** As `CN=a.example, O=Example`. */
  readonly subject: string
  readonly issuer: string
  readonly serialNumber: string
  /** SHA-256 over the certificate, in upper-case hexadecimal with colons. */
  readonly fingerprint256: string
  /** Wall-clock milliseconds since the epoch. */
  readonly notBefore: number
  /** Wall-clock milliseconds since the epoch: when it expires. */
  readonly notAfter: number
  /** `ec`, `rsa`, `ed25519` …; certificates of different kinds may share a name. */
  readonly keyType: string
}

/** A certificate that was parsed and matches its key. */
export interface Certificate {
  readonly facts: CertificateFacts
  readonly default: boolean
  /** The chain in PEM, ready for a secure context. */
  readonly cert: string
  readonly key: string | Uint8Array
  readonly passphrase: string | undefined
  readonly ocspResponse: Uint8Array | undefined
}

const block = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/**
 * Parses a certificate with its key and checks that they belong together. An expired one passes: it may be
 * all there is, and its expiry is among the facts.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function parseCertificate(init: CertificateInit, path = 'certificate'): Certificate {
  const chain = parseChain(objectOption(init, path).cert, `${path}.cert`)
  const [leaf] = chain
  if (leaf === undefined) throw invalidOption(`${path}.cert`, 'has no certificate in PEM')
  const key = parseKey(init.key, init.passphrase, `${path}.key`)
  if (!leaf.checkPrivateKey(key)) {
    const other = chain.findIndex((certificate) => certificate.checkPrivateKey(key))
    throw invalidOption(
      `${path}.key`,
      other > 0
        ? `belongs to certificate ${other + 1} of the chain: put the server's own certificate first`
        : `does not belong to the certificate of ${oneLine(leaf.subject)}`,
    )
  }
  const names = listOption(init.names ?? dnsNames(leaf), `${path}.names`).flatMap((name, index) => {
    if (init.names === undefined && !isServerName(name)) return []
    const { name: bare, isWildcard } = parseNamePattern(name, `${path}.names[${index}]`)
    return [isWildcard ? `*.${bare}` : bare]
  })
  const more = init.ca === undefined ? [] : parseChain(init.ca, `${path}.ca`)
  return {
    default: flagOption(init.default ?? false, `${path}.default`),
    cert: [...chain, ...more].map((certificate) => certificate.toString()).join(''),
    key: init.key,
    passphrase: init.passphrase,
    ocspResponse:
      init.ocspResponse === undefined
        ? undefined
        : parseOcspResponse(init.ocspResponse, `${path}.ocspResponse`),
    facts: Object.freeze({
      names: Object.freeze([...new Set(names)]),
      subject: oneLine(leaf.subject),
      issuer: oneLine(leaf.issuer),
      serialNumber: leaf.serialNumber,
      fingerprint256: leaf.fingerprint256,
      notBefore: leaf.validFromDate.getTime(),
      notAfter: leaf.validToDate.getTime(),
      keyType: key.asymmetricKeyType ?? 'unknown',
    }),
  }
}

/**
 * The certificates in a PEM text, in order.
 *
 * @throws `invalid-option` when one of them cannot be parsed.
 */
export function parseChain(pem: string | Uint8Array, path: string): X509Certificate[] {
  if (typeof pem !== 'string') bytesOption(pem, path)
  const text = typeof pem === 'string' ? pem : new TextDecoder().decode(pem)
  return (text.match(block) ?? []).map((part, index) => {
    try {
      return new X509Certificate(part)
    } catch (cause) {
      throw invalidOption(path, `certificate ${index + 1} cannot be parsed: ${reason(cause)}`)
    }
  })
}

/** `CN=a.example, O=Example` of Node's form, which has a line for each part and `undefined` for an empty name. */
export function oneLine(distinguishedName: string | undefined): string {
  return distinguishedName?.split('\n').reverse().join(', ') ?? ''
}

/** The common name of Node's form. */
export function commonName(distinguishedName: string | undefined): string | undefined {
  return /^CN=(.+)$/m.exec(distinguishedName ?? '')?.[1]
}

function parseKey(
  key: string | Uint8Array,
  passphrase: string | undefined,
  path: string,
): KeyObject {
  if (typeof key !== 'string') bytesOption(key, path)
  if (passphrase !== undefined) textOption(passphrase, path.replace(/key$/, 'passphrase'))
  try {
    return createPrivateKey({
      key: typeof key === 'string' ? key : Buffer.from(key),
      ...(passphrase === undefined ? {} : { passphrase }),
    })
  } catch (cause) {
    throw invalidOption(
      path,
      passphrase === undefined
        ? `cannot be read as a private key in PEM without passphrase: ${reason(cause)}`
        : `cannot be read as a private key in PEM with this passphrase: ${reason(cause)}`,
    )
  }
}

/** RFC 6125 §6.4.4: the common name counts only when there are no alternative names. */
function dnsNames(leaf: X509Certificate): string[] {
  const names = [...(leaf.subjectAltName ?? '').matchAll(/(?:^|, )DNS:([^,"\s]+)/g)].map(
    ([, n]) => n!,
  )
  if (leaf.subjectAltName !== undefined) return names
  const name = commonName(leaf.subject)
  return name === undefined ? [] : [name]
}

/** Names in certificates may be anything; those that no client can ask for are left out. */
function isServerName(name: string): boolean {
  try {
    parseNamePattern(name, 'name')
    return true
  } catch {
    return false
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
