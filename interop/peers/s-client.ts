import { path } from '../needs.ts'
import { run } from '../run.ts'

/** What `openssl s_client` found out. */
export interface Handshake {
  /** Such as `TLSv1.3`; `undefined` when the handshake failed. */
  readonly protocol: string | undefined
  readonly cipher: string | undefined
  readonly reused: boolean
  /** The common name of the certificate that it was shown. */
  readonly name: string | undefined
  readonly alpn: string | undefined
  readonly verified: boolean
  /** What the server's alert said, such as `unknown ca`. */
  readonly alert: string | undefined
  /** All that it printed, the server's application data among it. */
  readonly output: string
}

/** Connects with `openssl s_client`, sends the input and stays until the server ends. */
export async function sClient(
  to: string,
  args: readonly string[],
  input = 'GET /who HTTP/1.0\r\n\r\n',
): Promise<Handshake> {
  const { stdout, stderr } = await run(
    path('openssl'),
    ['s_client', '-connect', to, '-ign_eof', ...args],
    { input, within: 10_000 },
  )
  const first = (pattern: RegExp): string | undefined => pattern.exec(stdout)?.[1]
  const cipher = first(/^(?:New|Reused), \S+, Cipher is (\S+)/m)
  const done = cipher !== undefined && cipher !== '(NONE)'
  return {
    // OpenSSL names the version that introduced the cipher there; the session's own is said further down.
    protocol: done
      ? (first(/^ *Protocol +: (\S+)/m) ?? first(/^(?:New|Reused), (\S+),/m))
      : undefined,
    cipher: done ? cipher : undefined,
    reused: /^Reused, /m.test(stdout),
    name: first(/^subject=CN = (\S+)/m),
    alpn: first(/^ALPN protocol: (\S+)/m),
    verified: /^Verification: OK/m.test(stdout),
    alert: /:(?:(?:tls|ssl)v\d+ )?(?:alert )?([^:]+):[^:]+:\d+:SSL alert number/.exec(stderr)?.[1],
    output: stdout,
  }
}
