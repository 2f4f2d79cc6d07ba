/** Alerts that end a connection before our TLS has taken it (RFC 8446 §6, RFC 7301 §3.2). */
export const TlsAlert = {
  handshakeFailure: 40,
  decodeError: 50,
  internalError: 80,
  unrecognizedName: 112,
  noApplicationProtocol: 120,
} as const

/** The number of an alert. */
export type TlsAlert = (typeof TlsAlert)[keyof typeof TlsAlert]

/** The record of a fatal alert in the clear, as it answers a ClientHello: `type u8 · version u16 · length u16 · level u8 · alert u8`. */
export function fatalAlert(alert: TlsAlert): Uint8Array {
  return Uint8Array.of(21, 3, 3, 0, 2, 2, alert)
}
