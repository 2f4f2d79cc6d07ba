import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** What a scenario asks of the proxies, besides to proxy. */
export interface Setup {
  readonly tls: boolean
  /** Of host and path. With 1 the host is {@link onlyHost}, else they are {@link hosts}. */
  readonly rules: number
}

/** The host that all requests ask for where there is one rule. */
export const onlyHost = 'bench.test'

/** The host of each rule. */
export function hosts(rules: number): string[] {
  if (rules === 1) return [onlyHost]
  return Array.from({ length: rules }, (_, index) => `h${index}.${onlyHost}`)
}

/** What browsers send besides `Host`: six lines, a head of 267 bytes in all. */
export const browserHeaders: readonly string[] = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)',
  'Accept: text/html,application/json;q=0.9',
  'Accept-Language: en-GB,en;q=0.5',
  'Accept-Encoding: gzip, deflate, br',
  'Cookie: session=4f0c2c62a1b34a7e; theme=dark',
  'Cache-Control: no-cache',
]

/** Where the certificate and its key are in a scenario's folder; `pem` has both. */
export function certificateFiles(folder: string): { cert: string; key: string; pem: string } {
  return {
    cert: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
    pem: join(folder, 'both.pem'),
  }
}

/** Makes an ECDSA P-256 certificate for {@link onlyHost} and 127.0.0.1. */
export function makeCertificate(folder: string): void {
  const { cert, key, pem } = certificateFiles(folder)
  const subject = ['-subj', `/CN=${onlyHost}`]
  const names = ['-addext', `subjectAltName=DNS:${onlyHost},DNS:*.${onlyHost},IP:127.0.0.1`]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const files = ['-keyout', key, '-out', cert]
  execFileSync('openssl', ['req', '-x509', ...kind, '-days', '2', ...subject, ...names, ...files], {
    stdio: 'pipe',
  })
  execFileSync('sh', ['-c', 'cat "$0" "$1" > "$2" && chmod 644 "$1"', cert, key, pem])
}
