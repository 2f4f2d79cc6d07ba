import { X509Certificate } from 'node:crypto'
import type { Report } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { type CertificateFacts, parseCertificate } from '../../src/tls/certificate.ts'
import { reportCertificates } from '../../src/tls/certificate-metrics.ts'
import { type TlsContexts, type TlsContextsOptions, tlsContexts } from '../../src/tls/contexts.ts'
import { ca, certificate, pem } from './bed.ts'

const shown = (contexts: TlsContexts, name: string | undefined): string | undefined =>
  contexts.select(name)?.certificate.subject

describe('a certificate', () => {
  it('tells names, issuer and expiry', () => {
    const { facts } = parseCertificate(certificate('a'))
    const x509 = new X509Certificate(pem('a'))
    expect(facts).toEqual({
      names: ['a.example', '*.wild.example'],
      subject: 'CN=a.example',
      issuer: 'CN=Test Authority',
      serialNumber: x509.serialNumber,
      fingerprint256: x509.fingerprint256,
      notBefore: Date.parse(x509.validFrom),
      notAfter: Date.parse(x509.validTo),
      keyType: 'ec',
    })
  })

  it('may have no subject', () => {
    const { facts } = parseCertificate(certificate('nameless'))
    expect(facts).toMatchObject({ subject: '', names: ['localhost'] })
  })

  it('may be expired: it is evidence, not an error', () => {
    const { facts } = parseCertificate(certificate('expired'))
    expect(facts.notAfter).toBeLessThan(Date.parse('2030-01-01'))
  })

  it('must belong to its key', () => {
    expect(() => parseCertificate({ cert: pem('a'), key: pem('b-key') })).toThrow(
      'certificate.key: does not belong to the certificate of CN=a.example',
    )
  })

  it('must come first in its chain', () => {
    const cert = pem('ca') + pem('a')
    expect(() => parseCertificate({ cert, key: pem('a-key') })).toThrow(
      'certificate 2 of the chain',
    )
  })

  it('takes its intermediates from one text or from two, as text or bytes', () => {
    const key = pem('chained-locked-key')
    const passphrase = 'open-sesame'
    const one = parseCertificate({ cert: pem('chained-full'), key, passphrase })
    const bytes = new TextEncoder().encode(pem('inter'))
    const two = parseCertificate({ cert: pem('chained'), ca: bytes, key, passphrase })
    expect(two.cert).toBe(one.cert)
    expect(one.cert.match(/BEGIN/g)).toHaveLength(2)
  })

  it('needs the passphrase of its key', () => {
    const locked = { cert: pem('chained'), key: pem('chained-locked-key') }
    expect(() => parseCertificate(locked, 'x')).toThrow('x.key: cannot be read')
    expect(() => parseCertificate({ ...locked, passphrase: 'wrong' }, 'x')).toThrow(
      'with this passphrase',
    )
  })

  it('must be one at all', () => {
    const key = pem('a-key')
    expect(() => parseCertificate({ cert: '', key }, 'x')).toThrow('x.cert: has no certificate')
    const torn = pem('a').replace(/\n[\w+/]{20}/, '\n')
    expect(() => parseCertificate({ cert: torn, key }, 'x')).toThrow('x.cert: certificate 1 cannot')
    expect(() => parseCertificate({ cert: pem('a'), key: 'nonsense' }, 'x')).toThrow('x.key')
  })

  it('may be told other names', () => {
    const names = ['Other.Example.', '*.more.example']
    expect(parseCertificate(certificate('a', { names })).facts.names).toEqual([
      'other.example',
      '*.more.example',
    ])
    expect(() => parseCertificate(certificate('a', { names: ['*'] }))).toThrow('names[0]')
  })
})

describe('contexts', () => {
  const certificates = [certificate('a'), certificate('b'), certificate('a-rsa')]

  it('choose by exact name, by wildcard for one label, else the first', () => {
    const contexts = tlsContexts({ certificates })
    expect(shown(contexts, 'a.example')).toBe('CN=a.example')
    expect(shown(contexts, 'b.example')).toBe('CN=b.example')
    expect(contexts.select('x.wild.example')).toBe(contexts.select('y.wild.example'))
    expect(shown(contexts, 'x.wild.example')).toBe('CN=a.example')
    expect(contexts.select('a.example')).toBe(contexts.select(undefined))
    for (const other of ['wild.example', 'x.y.wild.example', 'c.example', undefined]) {
      expect(contexts.select(other)).toBe(contexts.select(undefined))
    }
    const only = tlsContexts({ certificates, unknownName: 'reject' })
    expect(shown(only, 'x.y.wild.example')).toBeUndefined()
    expect(shown(only, undefined)).toBe('CN=a.example')
  })

  it('have a default of choice', () => {
    const contexts = tlsContexts({
      certificates: [certificate('a'), certificate('b', { default: true })],
    })
    expect(shown(contexts, undefined)).toBe('CN=b.example')
  })

  it('are replaced as a whole', () => {
    const contexts = tlsContexts({ certificates })
    contexts.replace([certificate('b')])
    expect(contexts.certificates.map(({ subject }) => subject)).toEqual(['CN=b.example'])
    expect(shown(contexts, 'a.example')).toBe('CN=b.example')
  })

  it('stay as they are when a replacement is wrong', () => {
    const contexts = tlsContexts({ certificates })
    const before = contexts.select('b.example')
    const wrong = [certificate('b'), { cert: pem('a'), key: pem('b-key') }]
    expect(() => contexts.replace(wrong)).toThrow('tls.certificates[1].key')
    expect(() => contexts.replace([])).toThrow('tls.certificates')
    expect(contexts.select('b.example')).toBe(before)
    expect(contexts.certificates).toHaveLength(3)
  })

  const wrong: Record<string, Partial<TlsContextsOptions>> = {
    'tls.certificates': { certificates: [] },
    'tls.minVersion': { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' },
    'tls.alpn[1]': { alpn: ['h2', ''] },
    'tls.clientCa': { clientCertificate: 'required' },
    'tls.clientCa: has no certificate': { clientCertificate: 'required', clientCa: [ca, 'none'] },
    'tls.ticketKeys': { ticketKeys: new Uint8Array(16) },
    'tls.sessionTimeout': { sessionTimeout: 'soon' },
    OpenSSL: { ciphers: 'NO-SUCH-CIPHER' },
  }
  for (const [where, options] of Object.entries(wrong)) {
    it(`refuse a wrong option: ${where}`, () => {
      expect(() => tlsContexts({ certificates, ...options })).toThrow(where)
    })
  }

  it('report when certificates expire', () => {
    const contexts = tlsContexts({ certificates: [certificate('a')] })
    let sample: ((report: Report) => void) | undefined
    const metrics = { collect: (to: typeof sample) => ((sample = to), { [Symbol.dispose]() {} }) }
    reportCertificates(metrics as never, contexts, { listener: 'web' })
    const seen: unknown[] = []
    sample!((_kind, name, _help, value, labels) => seen.push([name, value, labels]))
    const [{ notAfter, serialNumber }] = contexts.certificates as readonly [CertificateFacts]
    expect(seen).toEqual([
      [
        'steelyard_l4_certificate_expiry_seconds',
        notAfter / 1000,
        { listener: 'web', name: 'a.example', serial: serialNumber },
      ],
    ])
  })
})
