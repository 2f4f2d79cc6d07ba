import { isIP } from 'node:net'
import {
  connect,
  createSecureContext,
  type SecureContext,
  type SecureVersion,
  type TLSSocket,
} from 'node:tls'
import {
  bytesOption,
  type Duration,
  flagOption,
  invalidOption,
  listOption,
  objectOption,
  parseDuration,
  shown,
} from '@steelyard/core'
import { type Evidence, failed, type ProbeResult, type ProbeTarget, refused } from '../probe.ts'
import { socketFailure } from '../socket-failure.ts'
import { connectOptions } from './socket-target.ts'

/** How a check speaks TLS. */
export interface TlsSettings {
  /**
   * The certificate must be valid: issued by a trusted authority, for this name, and in its time.
   * Default `false`: a check asks whether the backend answers, and backends often have certificates that
   * only their own side knows. What the balancer itself sends over TLS is verified by its own rule.
   */
  readonly verify?: boolean
  /** Server name to ask for (SNI, RFC 6066 §3) and to verify. Default: the target's host, if it is a name. */
  readonly servername?: string
  /** Trusted authorities, PEM. Default: those of Node. */
  readonly ca?: string | readonly string[]
  /** Client certificate and its key, PEM, for servers that ask for one. Default: none. */
  readonly cert?: string
  readonly key?: string
  /** Opens an encrypted key. Default: it has none. */
  readonly passphrase?: string
  /** The lowest version to speak. Default `TLSv1.2`. */
  readonly minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'
  /** Application protocols to offer (RFC 7301); the server must choose one of them. Default: none are offered. */
  readonly alpn?: readonly string[]
  /** From this time before the certificate expires, the verdict says so; it does not change the state. Default `14d`. */
  readonly warnBefore?: Duration
}

/** {@link TlsSettings}, checked. One context serves all connections: making it is the dear part. */
export interface TlsPlan {
  readonly verify: boolean
  readonly servername: string | undefined
  readonly minVersion: SecureVersion
  readonly alpn: readonly string[]
  readonly warnBeforeMs: number
  readonly context: SecureContext
}

/**
 * Checks how a check speaks TLS.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function tlsPlan(settings: TlsSettings, path: string): TlsPlan {
  const {
    servername,
    minVersion = 'TLSv1.2',
    alpn = [],
    ca,
    cert,
    key,
    passphrase,
  } = objectOption(settings, path)
  if (servername !== undefined && !isName(servername)) {
    throw invalidOption(`${path}.servername`, `${shown(servername)} is not a host name`)
  }
  if (!['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'].includes(minVersion)) {
    throw invalidOption(
      `${path}.minVersion`,
      `${shown(minVersion)} is none of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3`,
    )
  }
  const isProtocol = (name: string): boolean =>
    typeof name === 'string' && name !== '' && Buffer.byteLength(name) <= 255
  if (!listOption(alpn, `${path}.alpn`).every(isProtocol)) {
    throw invalidOption(`${path}.alpn`, 'a protocol name has 1 to 255 bytes')
  }
  for (const [name, text] of Object.entries({ cert, key, passphrase })) {
    if (text !== undefined && typeof text !== 'string') bytesOption(text, `${path}.${name}`)
  }
  const authorities = typeof ca === 'string' ? [ca] : listOption(ca ?? [], `${path}.ca`)
  try {
    const context = createSecureContext({
      minVersion,
      ...(ca === undefined ? {} : { ca: [...authorities] }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    })
    const warnBeforeMs = parseDuration(settings.warnBefore ?? '14d', `${path}.warnBefore`)
    return {
      verify: flagOption(settings.verify ?? false, `${path}.verify`),
      servername,
      minVersion,
      alpn,
      warnBeforeMs,
      context,
    }
  } catch (error) {
    if ((error as { isSteelyardError?: boolean }).isSteelyardError === true) throw error
    throw invalidOption(path, `the certificates do not fit: ${(error as Error).message}`)
  }
}

/** Begins a TLS connection to a target. */
export function openTls(
  target: ProbeTarget,
  plan: TlsPlan,
  source: string | undefined,
  alpn: readonly string[] = plan.alpn,
): TLSSocket {
  const named = isIP(target.host) === 0 && target.port !== 0 ? target.host : undefined
  const servername = plan.servername ?? named
  return connect({
    ...connectOptions(target, source),
    secureContext: plan.context,
    minVersion: plan.minVersion,
    // Judged by judgeTls, so that the reason can say what is wrong with the certificate.
    rejectUnauthorized: false,
    ...(servername === undefined ? {} : { servername }),
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
  })
}

/** What a finished handshake shows. */
export interface TlsJudgement {
  /** Why it is not good enough; absent when it is. */
  readonly problem: ProbeResult | undefined
  readonly evidence: Evidence
  /** To be added to the reason; empty, or a warning of the certificate's expiry. */
  readonly remark: string
}

/** Judges a finished handshake. */
export function judgeTls(
  socket: TLSSocket,
  target: ProbeTarget,
  plan: TlsPlan,
  wallNow: number,
  alpn: readonly string[] = plan.alpn,
): TlsJudgement {
  const certificate = socket.getPeerX509Certificate()
  // oxlint-disable-next-line no-restricted-globals -- parses a text, asks no clock.
  const expiresMs = certificate === undefined ? Number.NaN : Date.parse(certificate.validTo)
  const leftMs = expiresMs - wallNow
  const days = Math.floor(leftMs / 86_400_000)
  const expiring = leftMs < plan.warnBeforeMs
  const chosen = socket.alpnProtocol
  const evidence: Record<string, string | number | boolean> = {
    tlsVersion: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().name,
    certificateTrusted: socket.authorized,
  }
  if (typeof chosen === 'string') evidence['alpn'] = chosen
  if (certificate !== undefined) {
    evidence['certificateExpires'] = certificate.validTo
    evidence['certificateDaysLeft'] = days
    evidence['certificateExpiring'] = expiring
  }
  let problem: ProbeResult | undefined
  if (plan.verify && !socket.authorized) {
    const why = String(socket.authorizationError)
    problem = refused(`the certificate of ${target.address} is not valid: ${why}`, evidence)
  } else if (alpn.length > 0 && typeof chosen !== 'string') {
    problem = refused(`${target.address} speaks none of ${alpn.join(', ')}`, evidence)
  }
  const remark = leftMs < 0 ? 'certificate has expired' : `certificate expires in ${days} days`
  return { problem, evidence, remark: expiring ? `; ${remark}` : '' }
}

/** The result that an error of a TLS connection means. */
export function tlsFailure(
  target: ProbeTarget,
  stage: 'connect' | 'handshake' | 'open',
  error: Error,
): ProbeResult {
  if (stage === 'connect') return socketFailure(`connect to ${target.address}`, error)
  if (stage === 'open') return socketFailure(`TLS connection to ${target.address}`, error)
  const { code = '', library } = error as { code?: string; library?: unknown }
  if (library !== undefined || code.startsWith('ERR_SSL') || code === 'EPROTO') {
    const why = (error as { reason?: string }).reason ?? error.message
    return refused(`TLS handshake with ${target.address} failed: ${why}`, { code })
  }
  // Node's words when the peer closes in the middle of a handshake.
  if (code === 'ECONNRESET' && /before secure TLS connection/.test(error.message)) {
    return failed(`${target.address} closed the connection during the TLS handshake`, { code })
  }
  return socketFailure(`TLS handshake with ${target.address}`, error)
}

function isName(servername: string): boolean {
  return typeof servername === 'string' && servername !== '' && isIP(servername) === 0
}
