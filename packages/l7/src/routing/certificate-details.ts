import { hash, X509Certificate } from 'node:crypto'
import type { PeerCertificate } from '@steelyard/l4'

/** What `TlsFacts` leaves out of a certificate, because few ask for it. */
export interface CertificateDetails {
  /** SHA-1 over the certificate in lower-case hexadecimal. */
  readonly sha1: string
  /** As `2026-11-21T10:00:00.000Z`. */
  readonly notBefore: string
  readonly notAfter: string
}

/** One entry for each connection that is asked, gone with it. */
const known = new WeakMap<PeerCertificate, CertificateDetails>()

/** Reads them when they are first asked for. */
export function certificateDetails(certificate: PeerCertificate): CertificateDetails {
  let details = known.get(certificate)
  if (details === undefined) {
    const { validFromDate, validToDate } = new X509Certificate(certificate.der)
    details = Object.freeze({
      sha1: hash('sha1', certificate.der, 'hex'),
      notBefore: validFromDate.toISOString(),
      notAfter: validToDate.toISOString(),
    })
    known.set(certificate, details)
  }
  return details
}
