import { createPrivateKey } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket, TlsOptions } from 'node:tls'
import { systemClock } from '@steelyard/core'
import { checkerSuite } from '@steelyard/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { tlsCheck } from '../src/index.ts'
import { nobody, probe, type ServedPeer, tcpPeer, testCa, testIdentity, tlsPeer } from './peers.ts'

checkerSuite('tlsCheck', {
  makeCheck: () => tlsCheck({ ca: testCa }),
  well: () => tlsPeer(),
  unwell: () => tcpPeer((socket) => socket.end('this is no TLS\r\n')),
  silent: () => tcpPeer(),
})

describe('tlsCheck', () => {
  const open: ServedPeer[] = []
  const peer = async (
    options?: TlsOptions,
    accepted?: (socket: Socket) => void,
  ): Promise<ServedPeer> => {
    const started = await tlsPeer(options, accepted)
    open.push(started)
    return started
  }
  afterEach(async () => {
    for (const started of open.splice(0)) await started.close()
  })

  it('asks for a handshake only: a certificate that nobody knows will do, and is shown', async () => {
    const target = await peer()
    const result = await probe(tlsCheck(), target)
    expect(result).toMatchObject({
      outcome: 'ok',
      reason: `TLS handshake with ${target.address} succeeded`,
      evidence: {
        tlsVersion: 'TLSv1.3',
        certificateTrusted: false,
        certificateExpiring: false,
      },
    })
    expect(result.evidence?.['certificateDaysLeft']).toBeGreaterThan(10_000)
  })

  it('verifies when told to: authority and name', async () => {
    const target = await peer()
    const servername = 'check.test'
    const good = tlsCheck({ verify: true, ca: testCa, servername })
    expect(await probe(good, target)).toMatchObject({
      outcome: 'ok',
      evidence: { certificateTrusted: true },
    })
    const unknown = await probe(tlsCheck({ verify: true, servername }), target)
    expect(unknown).toMatchObject({ outcome: 'fail', definite: true })
    expect(unknown.reason).toBe(
      `the certificate of ${target.address} is not valid: UNABLE_TO_VERIFY_LEAF_SIGNATURE`,
    )
    const misnamed = tlsCheck({ verify: true, ca: testCa, servername: 'other.test' })
    const result = await probe(misnamed, target)
    expect(result.outcome).toBe('fail')
    expect(result.reason).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
  })

  it('sends the name that it is told', async () => {
    const names: unknown[] = []
    const target = await peer({
      SNICallback(name, callback) {
        names.push(name)
        callback(null)
      },
    })
    await probe(tlsCheck({ servername: 'check.test' }), target)
    await probe(tlsCheck(), target)
    expect(names).toEqual(['check.test'])
  })

  it('refuses to speak an old version', async () => {
    const target = await peer({ maxVersion: 'TLSv1.2' })
    expect((await probe(tlsCheck(), target)).outcome).toBe('ok')
    const result = await probe(tlsCheck({ minVersion: 'TLSv1.3' }), target)
    expect(result).toMatchObject({ outcome: 'fail', definite: true })
    expect(result.reason).toContain(`TLS handshake with ${target.address} failed: `)
  })

  it('wants one of the protocols that it offers', async () => {
    const target = await peer({ ALPNProtocols: ['h2'] })
    expect(await probe(tlsCheck({ alpn: ['http/1.1', 'h2'] }), target)).toMatchObject({
      outcome: 'ok',
      evidence: { alpn: 'h2' },
    })
    const silent = await peer()
    expect((await probe(tlsCheck({ alpn: ['h2'] }), silent)).reason).toBe(
      `${silent.address} speaks none of h2`,
    )
  })

  it.each([
    ['2126-10-20T00:00:00Z', true, '; certificate expires in 8 days'],
    ['2126-10-01T00:00:00Z', false, ''],
    ['2127-01-01T00:00:00Z', true, '; certificate has expired'],
  ])('warns of the expiry: at %s', async (at, expiring, remark) => {
    const target = await peer()
    const clock = { ...systemClock, wallNow: () => Date.parse(at) }
    const result = await probe(tlsCheck({ warnBefore: '14d' }), target, undefined, { clock })
    expect(result.outcome).toBe('ok')
    expect(result.reason).toBe(`TLS handshake with ${target.address} succeeded${remark}`)
    expect(result.evidence?.['certificateExpiring']).toBe(expiring)
  })

  it('talks inside', async () => {
    const target = await peer({}, (socket) => socket.on('data', () => socket.write('+PONG\r\n')))
    const steps = [{ send: 'PING\r\n', expect: '+PONG' }]
    expect(await probe(tlsCheck({ steps }), target)).toMatchObject({
      outcome: 'ok',
      evidence: { tlsVersion: 'TLSv1.3' },
    })
    const wrong = [{ send: 'PING\r\n', expect: '+NOPE' }]
    expect((await probe(tlsCheck({ steps: wrong }), target)).reason).toContain('wrong answer')
  })

  it('shows its own certificate to servers that ask for one', async () => {
    const asking = { ca: testCa, requestCert: true, rejectUnauthorized: false }
    const target = await peer(asking, (socket) => {
      const { subject } = (socket as TLSSocket).getPeerCertificate()
      socket.write(subject?.CN === 'check.test' ? 'known' : 'nobody')
    })
    const steps = [{ expect: 'known' }]
    expect((await probe(tlsCheck({ steps }), target)).outcome).toBe('fail')
    expect((await probe(tlsCheck({ steps, ...testIdentity }), target)).outcome).toBe('ok')
  })

  it('names the stage at which it went wrong', async () => {
    const dead = await nobody()
    expect((await probe(tlsCheck(), dead)).reason).toBe(`connect to ${dead.address} refused`)
    const closing = await tcpPeer((socket) => socket.end())
    expect((await probe(tlsCheck(), closing)).reason).toBe(
      `${closing.address} closed the connection during the TLS handshake`,
    )
    await closing.close()
    const asked = Promise.withResolvers<void>()
    const mute = await tcpPeer((socket) => socket.once('data', () => asked.resolve()))
    const time = new AbortController()
    const result = probe(tlsCheck(), mute, time.signal)
    await asked.promise
    time.abort()
    expect((await result).reason).toBe(
      `TLS handshake with ${mute.address} did not finish within 5000ms`,
    )
    await mute.close()
  })

  it.each([
    [{ servername: '10.0.0.1' }, 'tlsCheck.servername: "10.0.0.1" is not a host name'],
    [{ minVersion: 'SSLv3' as 'TLSv1' }, 'tlsCheck.minVersion: "SSLv3" is none of'],
    [{ cert: 'nonsense', key: 'nonsense' }, 'tlsCheck: the certificates do not fit'],
    [{ warnBefore: 'soon' }, 'tlsCheck.warnBefore: "soon" is not a duration'],
    [{ alpn: [''] }, 'tlsCheck.alpn: a protocol name has'],
  ])('refuses %j', (options, message) => {
    expect(() => tlsCheck(options)).toThrow(message)
  })

  it('opens an encrypted key with its passphrase, and says when that is missing or wrong', async () => {
    const locked = createPrivateKey(testIdentity.key).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'open-sesame',
    }) as string
    const { cert } = testIdentity
    const target = await peer({ requestCert: true, rejectUnauthorized: true, ca: testCa })
    const identified = tlsCheck({ cert, key: locked, passphrase: 'open-sesame' })
    expect(await probe(identified, target)).toMatchObject({ outcome: 'ok' })
    for (const passphrase of [{}, { passphrase: 'wrong' }]) {
      expect(() => tlsCheck({ cert, key: locked, ...passphrase })).toThrow(/do not fit/)
    }
  })
})
