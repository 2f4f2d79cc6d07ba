import { readFileSync } from 'node:fs'
import type { Folder } from '../folder.ts'
import { path } from '../needs.ts'
import { said } from '../run.ts'

/** A certificate with its key: as files for daemons and commands, as PEM for us. */
export interface Issued {
  readonly certFile: string
  readonly keyFile: string
  /** Certificate and key in one file, as HAProxy and socat want them. */
  readonly bothFile: string
  readonly cert: string
  readonly key: string
}

/** A certificate authority made by OpenSSL. */
export interface Authority {
  readonly caFile: string
  readonly ca: string
  /**
   * Issues a certificate.
   *
   * @param names - alternative names, such as `DNS:a.test` or `IP:127.0.0.1`; the first is the common name.
   */
  issue(name: string, names: readonly string[], options?: IssueOptions): Promise<Issued>
}

/** What a certificate may be besides. */
export interface IssueOptions {
  /** Valid for so many days from now. Default 365. */
  readonly days?: number
  /** Default `serverAuth`. */
  readonly usage?: 'serverAuth' | 'clientAuth'
  /** Default `ec`. */
  readonly keyType?: 'ec' | 'rsa'
}

/** Makes a {@link Authority} whose files are in a folder. */
export async function authority(home: Folder, name = 'ca'): Promise<Authority> {
  const openssl = path('openssl')
  const caFile = home.at(`${name}.pem`)
  const caKeyFile = home.at(`${name}.key`)
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const rsa = ['-newkey', 'rsa:2048', '-nodes']
  await said(openssl, [
    ...['req', '-x509', ...ec, '-subj', `/CN=Interop ${name}`, '-days', '365'],
    ...['-keyout', caKeyFile, '-out', caFile],
    ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  ])
  return {
    caFile,
    ca: readFileSync(caFile, 'utf8'),
    async issue(leaf, names, { days = 365, usage = 'serverAuth', keyType = 'ec' } = {}) {
      const [certFile, keyFile] = [home.at(`${leaf}.pem`), home.at(`${leaf}.key`)]
      const request = home.at(`${leaf}.csr`)
      const subject = `/CN=${(names[0] ?? leaf).replace(/^[A-Z]+:/, '')}`
      await said(openssl, [
        ...['req', '-new', ...(keyType === 'ec' ? ec : rsa), '-subj', subject],
        ...['-keyout', keyFile, '-out', request],
      ])
      const extensions = await home.write(
        `${leaf}.ext`,
        [
          'basicConstraints=critical,CA:FALSE',
          `extendedKeyUsage=${usage}`,
          ...(names.length === 0 ? [] : [`subjectAltName=${names.join(',')}`]),
          '',
        ].join('\n'),
      )
      await said(openssl, [
        ...['x509', '-req', '-in', request, '-CA', caFile, '-CAkey', caKeyFile, '-CAcreateserial'],
        ...['-days', String(days), '-extfile', extensions, '-out', certFile],
      ])
      const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')]
      return {
        certFile,
        keyFile,
        cert,
        key,
        bothFile: await home.write(`${leaf}-both.pem`, cert + key),
      }
    },
  }
}
