import type { CertificateFacts, TlsContexts } from '@steelyard/l4'

/**
 * May a connection that was shown one certificate ask for this host (RFC 9110 section 15.5.20)? Not when the host has
 * another certificate here: the client did not prove what it would have had to prove there, and was not shown who it
 * is. A host that no certificate names is served by whatever the routes say.
 */
export function coverage(
  contexts: TlsContexts,
  shown: CertificateFacts,
): (host: string) => boolean {
  return (host) =>
    namesHost(shown, host) || !contexts.certificates.some((other) => namesHost(other, host))
}

function namesHost({ names }: CertificateFacts, host: string): boolean {
  const dot = host.indexOf('.')
  return names.some(
    (name) =>
      name === host || (dot > 0 && name.startsWith('*.') && name.slice(1) === host.slice(dot)),
  )
}
