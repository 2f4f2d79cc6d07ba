import { choice, group, list, optional, preset, text } from './field.ts'
import { filePath } from './forms.ts'

/** A certificate with its key. */
export const certificateSchema = group(
  {
    cert: filePath({
      title: 'Certificate',
      description:
        'PEM file with the certificate, followed by the intermediate ones. A relative path is taken from the directory of the document.',
      examples: ['tls/www.example.com.pem'],
    }),
    key: filePath({
      title: 'Key',
      description: 'PEM file with the private key.',
      examples: ['tls/www.example.com.key'],
    }),
    passphraseFile: optional(
      filePath({
        title: 'Passphrase file',
        description:
          'File with the passphrase of the key, on its first line. Default: it has none.',
        examples: ['/run/credentials/steelyard/www.pass'],
      }),
    ),
  },
  {
    title: 'Certificate and key',
    description: 'A certificate with its private key. Default: none.',
    examples: [{ cert: 'tls/www.example.com.pem', key: 'tls/www.example.com.key' }],
  },
)

/** What both ends of TLS have. */
export const tlsVersionFields = {
  minVersion: preset(
    'TLSv1.2',
    choice(['TLSv1.2', 'TLSv1.3'], {
      title: 'Lowest version',
      description: 'The lowest version of TLS that is spoken.',
      examples: ['TLSv1.3'],
    }),
  ),
  maxVersion: preset(
    'TLSv1.3',
    choice(['TLSv1.2', 'TLSv1.3'], {
      title: 'Highest version',
      description: 'The highest version of TLS that is spoken.',
      examples: ['TLSv1.2'],
    }),
  ),
  ciphers: optional(
    text({
      title: 'Ciphers',
      description: "Cipher suites in OpenSSL's notation. Default: those of Node.js.",
      maxLength: 4096,
      examples: ['ECDHE+AESGCM:ECDHE+CHACHA20'],
    }),
  ),
}

/** Protocols for ALPN; the description says what they do. */
export const alpnList = (description: string) =>
  list(
    text({
      title: 'Protocol',
      description: 'The name of an application protocol, as registered for ALPN.',
      maxLength: 255,
      examples: ['h2', 'http/1.1'],
    }),
    { title: 'ALPN', description, maxItems: 32, examples: [['h2', 'http/1.1']] },
  )
