import { constants, createHash, randomBytes } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import {
  bytesOption,
  type Duration,
  flagOption,
  invalidOption,
  listOption,
  objectOption,
  oneOrMore,
  parseDuration,
  shown,
} from '@steelyard/core'
import {
  type Certificate,
  type CertificateFacts,
  type CertificateInit,
  parseCertificate,
  parseChain,
} from './certificate.ts'

/** A version of TLS that is spoken here; older ones are broken (RFC 8996). */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** How TLS with clients is made. */
export interface TlsContextsOptions {
  /** At least one. When several have a name, the first of each kind of key is used for it. */
  readonly certificates: readonly CertificateInit[]
  /** Default `TLSv1.2`. */
  readonly minVersion?: TlsVersion
  /** Default `TLSv1.3`. */
  readonly maxVersion?: TlsVersion
  /** In OpenSSL's form, best first; ours decides. Default: Node's. */
  readonly ciphers?: string
  /** Key exchange groups in OpenSSL's form, such as `X25519:P-256`. Default: Node's. */
  readonly groups?: string
  /** Application protocols, best first; ours decides (RFC 7301). Default: none is negotiated. */
  readonly alpn?: readonly string[]
  /** A client whose protocols are all unknown here: `reject` it, as RFC 7301 §3.2 has it, or go on without. Default `reject`. */
  readonly alpnMismatch?: 'reject' | 'ignore'
  /** A name that no certificate has: show the `default` certificate, or `reject` with an alert. Default `default`. */
  readonly unknownName?: 'default' | 'reject'
  /**
   * Certificates of clients. `optional`: a client may have none, and one that is not valid ends the
   * handshake. `required`: nobody comes without. Default `none`: they are not asked for.
   */
  readonly clientCertificate?: 'none' | 'optional' | 'required'
  /** PEM: who may issue certificates to clients. Needed unless `clientCertificate` is `none`. */
  readonly clientCa?: string | Uint8Array | readonly (string | Uint8Array)[]
  /** PEM: certificates of clients that were revoked. Default: none. */
  readonly clientCrl?: string | Uint8Array | readonly (string | Uint8Array)[]
  /** Session tickets, so that clients come back with a short handshake. Default `true`. */
  readonly tickets?: boolean
  /** 48 secret bytes, the same on all nodes that should accept each other's tickets. Default: random ones. */
  readonly ticketKeys?: Uint8Array
  /** How long a session may be resumed. Default `5m`. */
  readonly sessionTimeout?: Duration
}

/** What TLS with one client is made of: the outcome of {@link TlsContexts.select}. */
export interface ServerContext {
  readonly secureContext: SecureContext
  /** The certificate that is shown; with several kinds of key, the first. */
  readonly certificate: CertificateFacts
  /** Stapled for clients that ask for it. */
  readonly ocspResponse?: Uint8Array | undefined
}

/** The certificates of a TLS listener, chosen by server name, replaceable while connections go on. */
export interface TlsContexts {
  /** In the order of the options: evidence for status and metrics. */
  readonly certificates: readonly CertificateFacts[]
  /** Own protocols, best first. */
  readonly alpn: readonly string[]
  readonly alpnMismatch: 'reject' | 'ignore'
  readonly clientCertificate: 'none' | 'optional' | 'required'
  /** The context for a server name from a ClientHello; `undefined` when the name is to be rejected. */
  select(serverName: string | undefined): ServerContext | undefined
  /**
   * Other certificates for new connections; open ones keep theirs. Everything is parsed and matched
   * before anything changes.
   *
   * @throws `invalid-option`, and then nothing changed.
   */
  replace(certificates: readonly CertificateInit[]): void
}

/**
 * Checks certificates and settings of a TLS listener and makes them ready.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function tlsContexts(options: TlsContextsOptions, path = 'tls'): TlsContexts {
  const {
    unknownName = 'default',
    alpn = [],
    clientCertificate = 'none',
  } = objectOption(options, path)
  const shared = sharedOptions(options, path)
  let table = contextTable(options.certificates, shared, `${path}.certificates`)
  return {
    get certificates() {
      return table.certificates
    },
    alpn: checkedAlpn(alpn, `${path}.alpn`),
    alpnMismatch: options.alpnMismatch ?? 'reject',
    clientCertificate,
    select(serverName) {
      if (serverName === undefined) return table.default
      const found = table.exact.get(serverName) ?? wildcardOf(table.wildcard, serverName)
      return found ?? (unknownName === 'default' ? table.default : undefined)
    },
    replace(certificates) {
      table = contextTable(certificates, shared, `${path}.certificates`)
    },
  }
}

interface ContextTable {
  readonly certificates: readonly CertificateFacts[]
  readonly exact: ReadonlyMap<string, ServerContext>
  /** By the part behind `*.`. */
  readonly wildcard: ReadonlyMap<string, ServerContext>
  readonly default: ServerContext
}

interface SharedOptions {
  readonly context: SecureContextOptions
  /** Sessions are resumed only under the policy they were made under. */
  readonly policy: string
}

function contextTable(
  inits: readonly CertificateInit[],
  shared: SharedOptions,
  path: string,
): ContextTable {
  if (listOption(inits, path).length === 0)
    throw invalidOption(path, 'needs at least one certificate')
  const all = inits.map((init, index) => parseCertificate(init, `${path}[${index}]`))
  const first = all.find((certificate) => certificate.default) ?? all[0]!
  const made = new Map<string, ServerContext>()
  const contextOf = (certificates: readonly Certificate[]): ServerContext => {
    const id = certificates.map(({ facts }) => facts.fingerprint256).join()
    let context = made.get(id)
    if (context === undefined)
      made.set(id, (context = serverContext(certificates, id, shared, path)))
    return context
  }
  const byName = new Map<string, Certificate[]>()
  for (const certificate of all) {
    for (const name of certificate.facts.names) {
      const sharing = byName.get(name)
      if (sharing === undefined) byName.set(name, [certificate])
      else if (sharing.every(({ facts }) => facts.keyType !== certificate.facts.keyType)) {
        sharing.push(certificate)
      }
    }
  }
  const exact = new Map<string, ServerContext>()
  const wildcard = new Map<string, ServerContext>()
  for (const [name, certificates] of byName) {
    if (name.startsWith('*.')) wildcard.set(name.slice(2), contextOf(certificates))
    else exact.set(name, contextOf(certificates))
  }
  const kin = byName.get(first.facts.names[0] ?? '')
  return {
    certificates: Object.freeze(all.map(({ facts }) => facts)),
    exact,
    wildcard,
    default: contextOf(kin?.includes(first) === true ? kin : [first]),
  }
}

function serverContext(
  certificates: readonly Certificate[],
  id: string,
  shared: SharedOptions,
  path: string,
): ServerContext {
  try {
    const secureContext = createSecureContext({
      ...shared.context,
      cert: certificates.map(({ cert }) => cert),
      key: certificates.map(({ key, passphrase }) => ({
        pem: typeof key === 'string' ? key : Buffer.from(key),
        ...(passphrase === undefined ? {} : { passphrase }),
      })),
      sessionIdContext: digest(`${id} ${shared.policy}`),
    })
    const [{ facts, ocspResponse }] = certificates as [Certificate]
    return Object.freeze({
      secureContext,
      certificate: facts,
      ocspResponse: certificates.length === 1 ? ocspResponse : undefined,
    })
  } catch (cause) {
    throw invalidOption(path, `OpenSSL refuses the certificate or a setting: ${message(cause)}`)
  }
}

/** RFC 6125 §6.4.3: a wildcard stands for exactly one label. */
function wildcardOf(
  contexts: ReadonlyMap<string, ServerContext>,
  serverName: string,
): ServerContext | undefined {
  const dot = serverName.indexOf('.')
  return dot < 0 ? undefined : contexts.get(serverName.slice(dot + 1))
}

function sharedOptions(options: TlsContextsOptions, path: string): SharedOptions {
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', tickets = true } = options
  checkVersions(minVersion, maxVersion, path)
  const { clientCertificate = 'none', clientCa, clientCrl } = options
  if (!['none', 'optional', 'required'].includes(clientCertificate)) {
    throw invalidOption(
      `${path}.clientCertificate`,
      `${shown(clientCertificate)} is none of none, optional, required`,
    )
  }
  flagOption(tickets, `${path}.tickets`)
  if (clientCertificate !== 'none' && clientCa === undefined) {
    throw invalidOption(`${path}.clientCa`, 'is needed to verify the certificates of clients')
  }
  const authorities = clientCertificate === 'none' ? [] : pemTexts(clientCa, `${path}.clientCa`)
  const { ticketKeys = randomBytes(48) } = options
  if (bytesOption(ticketKeys, `${path}.ticketKeys`).length !== 48) {
    throw invalidOption(`${path}.ticketKeys`, `has ${ticketKeys.length} bytes, not 48`)
  }
  const timeoutMs = parseDuration(options.sessionTimeout ?? '5m', `${path}.sessionTimeout`)
  return {
    policy: digest(`${clientCertificate} ${authorities.join()}`),
    context: {
      minVersion,
      maxVersion,
      honorCipherOrder: true,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (tickets ? 0 : constants.SSL_OP_NO_TICKET),
      ticketKeys: Buffer.from(ticketKeys),
      sessionTimeout: Math.max(1, Math.round(timeoutMs / 1000)),
      ...(options.ciphers === undefined ? {} : { ciphers: options.ciphers }),
      ...(options.groups === undefined ? {} : { ecdhCurve: options.groups }),
      ...(authorities.length === 0 ? {} : { ca: authorities }),
      ...(clientCrl === undefined
        ? {}
        : { crl: oneOrMore(clientCrl).map((pem) => asText(pem, `${path}.clientCrl`)) }),
    },
  }
}

/** PEM texts of authorities, each of which was parsed. */
export function pemTexts(
  init: string | Uint8Array | readonly (string | Uint8Array)[] | undefined,
  path: string,
): string[] {
  const chains = init === undefined ? [] : oneOrMore(init).map((pem) => parseChain(pem, path))
  if (chains.some((chain) => chain.length === 0)) {
    throw invalidOption(path, 'has no certificate in PEM')
  }
  return chains.flat().map((certificate) => certificate.toString())
}

/** Checks the range of TLS versions. */
export function checkVersions(min: TlsVersion, max: TlsVersion, path: string): void {
  for (const [name, version] of [
    ['minVersion', min],
    ['maxVersion', max],
  ] as const) {
    if (version === 'TLSv1.2' || version === 'TLSv1.3') continue
    throw invalidOption(`${path}.${name}`, `${shown(version)} is neither TLSv1.2 nor TLSv1.3`)
  }
  if (min > max) throw invalidOption(`${path}.minVersion`, `${min} is above maxVersion ${max}`)
}

/** Checks the identifiers of a protocol list. */
export function checkedAlpn(alpn: readonly string[], path: string): readonly string[] {
  listOption(alpn, path).forEach((protocol, index) => {
    if (typeof protocol !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(protocol)) {
      throw invalidOption(`${path}[${index}]`, `${shown(protocol)} is not a protocol, such as h2`)
    }
  })
  return Object.freeze([...alpn])
}

function asText(pem: string | Uint8Array, path: string): string {
  return typeof pem === 'string' ? pem : new TextDecoder().decode(bytesOption(pem, path))
}

/** OpenSSL takes 32 bytes at most. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
