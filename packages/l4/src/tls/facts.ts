import type { TLSSocket } from 'node:tls'
import type { SslInfo } from '../proxy-protocol/ssl-tlv.ts'
import { commonName, oneLine } from './certificate.ts'

/** What a handshake agreed on. */
export interface TlsFacts {
  /** As `TLSv1.3`. */
  readonly version: string
  /** The standard name, such as `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string
  /** The server name that was asked for, in its normal form. */
  readonly serverName: string | undefined
  /** The application protocol; absent when none was negotiated. */
  readonly alpn: string | undefined
  /** An earlier session was resumed. */
  readonly resumed: boolean
  /** The certificate that the peer presented; absent when it presented none. */
  readonly peerCertificate: PeerCertificate | undefined
}

/** A certificate that the other side presented. */
export interface PeerCertificate {
  /** As `CN=client one, O=Tests`; empty when it has only alternative names. */
  readonly subject: string
  readonly commonName: string | undefined
  /** As Node gives them: `DNS:a.example, URI:spiffe://example/a`. */
  readonly alternativeNames: string | undefined
  readonly issuer: string
  readonly serialNumber: string
  readonly fingerprint256: string
  /** Wall-clock milliseconds since the epoch. */
  readonly notAfter: number
  /** The whole certificate in DER. */
  readonly der: Uint8Array
  /** It is valid and from a trusted authority. */
  readonly verified: boolean
}

/** Reads what a finished handshake agreed on. */
export function factsOf(
  socket: TLSSocket,
  serverName: string | undefined,
  verified: boolean,
): TlsFacts {
  const { alpnProtocol } = socket
  return {
    version: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    serverName,
    alpn: typeof alpnProtocol === 'string' && alpnProtocol !== '' ? alpnProtocol : undefined,
    resumed: socket.isSessionReused(),
    peerCertificate: peerCertificateOf(socket, verified),
  }
}

function peerCertificateOf(socket: TLSSocket, verified: boolean): PeerCertificate | undefined {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  return {
    subject: oneLine(certificate.subject),
    commonName: commonName(certificate.subject),
    alternativeNames: certificate.subjectAltName,
    issuer: oneLine(certificate.issuer),
    serialNumber: certificate.serialNumber,
    fingerprint256: certificate.fingerprint256,
    notAfter: certificate.validToDate.getTime(),
    der: certificate.raw,
    verified,
  }
}

/** What a PROXY header tells a backend of a client's TLS that ended here (PP2_TYPE_SSL). */
export function sslInfoOf(facts: TlsFacts): SslInfo {
  const { version, cipher, peerCertificate } = facts
  const name = peerCertificate?.commonName
  return {
    tls: true,
    certificateOnConnection: peerCertificate !== undefined && !facts.resumed,
    certificateInSession: peerCertificate !== undefined,
    verify: peerCertificate?.verified === true ? 0 : 1,
    version,
    cipher,
    ...(name === undefined ? {} : { commonName: name }),
  }
}
