import type { TlsFacts } from '@steelyard/l4'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ConnectionFacts } from '../../src/exchange/connection-facts.ts'
import { prepareRequest } from '../../src/gate/forward-request.ts'
import { type ForwardedLines, forwardedLines } from '../../src/gate/forwarded-lines.ts'
import { type ForwardingOptions, forwardingSettings } from '../../src/gate/forwarding-options.ts'
import { gateSettings } from '../../src/gate/gate-options.ts'
import { judgeRequest } from '../../src/gate/judge-request.ts'
import { RequestHead } from '../../src/wire/request-head.ts'
import { bytesOf, connectionOf, h2Head, judged, linesOf, parsed } from './requests.ts'
import { certificateDer } from './vectors.ts'

const peer = { pseudonym: 'edge-1' }
const quiet = { pseudonym: 'edge-1', forwarded: 'none', via: 'none' } as const
const trusted = connectionOf({ trusted: true })

interface Sent {
  readonly lines: string[]
  readonly status: number | undefined
}

function send(
  head: RequestHead,
  options: ForwardingOptions = peer,
  connection: ConnectionFacts = connectionOf(),
  forwarded?: ForwardedLines,
): Sent {
  const settings = forwardingSettings(options)
  const out = new RequestHead()
  out.layOver(head)
  out.expectsContinue = false
  const problem = prepareRequest(
    out,
    { connection, head, forwarded: forwarded ?? forwardedLines(connection, settings) },
    settings,
  )
  return { lines: linesOf(out), status: problem?.status }
}

/** The lines that a backend gets for client lines. */
function forwarded(
  lines: string[],
  options?: ForwardingOptions,
  connection?: ConnectionFacts,
): string[] {
  return send(judged(undefined, 'GET / HTTP/1.1', 'Host: a.example', ...lines), options, connection)
    .lines
}

describe('what was between the client and us', () => {
  it.each([
    'Connection: keep-alive',
    'Connection: close',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'Proxy-Authorization: Basic x',
    'Proxy-Authenticate: Basic',
    'TE: gzip',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMA',
    'Trailer: X-Sum',
    'Content-Length: 0',
    'Transfer-Encoding: chunked',
    'Expect: 100-continue',
  ])('%s stays here', (line) => {
    expect(forwarded(['X-Kept:  as it   came\t', line, 'accept: */*'], quiet)).toEqual([
      'X-Kept:  as it   came\t',
      'accept: */*',
    ])
  })

  it('and what Connection lists stays here', () => {
    const lines = [
      'X-Hop: 1',
      'x-HOP: 2',
      'X-End: 3',
      'Connection: close, x-hop,, X-None',
      'X-Hop: 4',
    ]
    expect(forwarded(lines, quiet)).toEqual(['X-End: 3'])
  })

  it('but no field that others decide by can be taken away so', () => {
    const lines = [
      'Authorization: Basic x',
      'Cookie: a=b',
      'Content-Type: text/plain',
      'X-Request-ID: 7',
    ]
    const listed = 'Connection: authorization, cookie, content-type, x-request-id, host, connection'
    expect(forwarded([...lines, listed], quiet)).toEqual(lines)
  })

  it('and what we say cannot be taken away either', () => {
    const lines = ['Connection: close, X-Forwarded-For, X-Real-IP, Via, X-Forwarded-Host']
    expect(forwarded(lines)).toEqual([
      'X-Forwarded-For: 203.0.113.9',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Port: 8080',
      'X-Real-IP: 203.0.113.9',
      'X-Forwarded-Host: a.example',
      'Via: 1.1 edge-1',
    ])
    const chain = ['X-Forwarded-For: 198.51.100.7', 'Connection: x-forwarded-for']
    expect(forwarded(chain, { ...quiet, forwarded: 'x', fields: ['for'] }, trusted)).toEqual([
      'X-Forwarded-For: 198.51.100.7, 203.0.113.9',
    ])
  })

  it('is told anew where the client takes trailers', () => {
    expect(forwarded(['TE: trailers, deflate'], quiet)).toEqual(['TE: trailers'])
  })

  it('leaves Expect when the exchange asks for it', () => {
    const head = judged(
      undefined,
      'POST / HTTP/1.1',
      'Host: a',
      'Content-Length: 1',
      'Expect: 100-continue',
    )
    const out = new RequestHead()
    out.layOver(head)
    const settings = forwardingSettings(quiet)
    const connection = connectionOf()
    prepareRequest(
      out,
      { connection, head, forwarded: forwardedLines(connection, settings) },
      settings,
    )
    expect(linesOf(out)).toEqual(['Expect: 100-continue'])
  })

  it('does not change the client’s head', () => {
    const head = judged(
      undefined,
      'GET / HTTP/1.1',
      'Host: a',
      'X-A: 1',
      'Connection: x-a',
      'X-Real-IP: 2',
    )
    const before = linesOf(head)
    send(head)
    expect(linesOf(head)).toEqual(before)
  })
})

describe('what an untrusted client claims', () => {
  const claims = [
    'X-Forwarded-For: 192.0.2.66',
    'x-forwarded-for: 192.0.2.67',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Port: 443',
    'X-Forwarded-Prefix: /admin',
    'X-Forwarded-Server: x',
    'X-Forwarded-Scheme: https',
    'X-Forwarded-Anything-New: x',
    'Forwarded: for=192.0.2.66',
    'X-Real-IP: 192.0.2.66',
    'X-Original-URL: /admin',
    'X-Original-Host: evil.example',
    'X-Rewrite-URL: /admin',
    'True-Client-IP: 192.0.2.66',
    'X-SSL-Client-Verify: 0',
    'X-SSL-Client-DN: /CN=admin',
    'X_Forwarded_For: 192.0.2.66',
    'X_Real-IP: 192.0.2.66',
    'x.forwarded.proto: https',
    'Front-End-Https: on',
    'Client-Cert: :x:',
  ]

  it('is dropped, and replaced by what we know', () => {
    expect(forwarded([...claims, 'X-Forwarder: fine'])).toEqual([
      'X-Forwarder: fine',
      'X-Forwarded-For: 203.0.113.9',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Port: 8080',
      'X-Real-IP: 203.0.113.9',
      'X-Forwarded-Host: a.example',
      'Via: 1.1 edge-1',
    ])
  })

  it('is dropped also when we say nothing', () => {
    expect(forwarded(claims, quiet)).toEqual([])
  })
})

describe('what backends are told', () => {
  it('is chosen by name', () => {
    const options = { ...quiet, forwarded: 'x', fields: ['proto', 'real-ip'] } as const
    expect(forwarded([], options)).toEqual(['X-Forwarded-Proto: http', 'X-Real-IP: 203.0.113.9'])
  })

  it('is by RFC 7239 when asked for', () => {
    const options = { ...quiet, forwarded: 'rfc7239' } as const
    expect(forwarded([], options)).toEqual(['Forwarded: for=203.0.113.9;host=a.example;proto=http'])
    const client = { address: '2001:db8::9', port: 1, family: 6 } as const
    const six = connectionOf({ client })
    const head = judged(undefined, 'GET / HTTP/1.1', 'Host: a.example:81')
    expect(send(head, options, six).lines).toEqual([
      'Forwarded: for="[2001:db8::9]";host="a.example:81";proto=http',
    ])
  })

  it('goes by the version and the authority of each request of a connection', () => {
    const settings = forwardingSettings(peer)
    const connection = connectionOf()
    const lines = forwardedLines(connection, settings)
    const varying = (head: RequestHead): string[] =>
      send(head, peer, connection, lines).lines.slice(-2)
    const request = (version: string, name: string): RequestHead =>
      judged(undefined, `GET / HTTP/${version}`, `Host: ${name}`, 'Connection: keep-alive')
    for (let round = 0; round < 2; round++) {
      expect(varying(request('1.1', 'a'))).toEqual(['X-Forwarded-Host: a', 'Via: 1.1 edge-1'])
      expect(varying(request('1.1', 'b'))).toEqual(['X-Forwarded-Host: b', 'Via: 1.1 edge-1'])
      expect(varying(request('1.0', 'b'))).toEqual(['X-Forwarded-Host: b', 'Via: 1.0 edge-1'])
    }
    const head = h2Head({ authority: 'a' })
    judgeRequest(head, gateSettings())
    expect(varying(head)).toEqual(['X-Forwarded-Host: a', 'Via: 2.0 edge-1'])
  })

  it('is left out where there is nothing to say', () => {
    const unix = { address: '', port: 0, family: 'unix' } as const
    const connection = connectionOf({ client: unix, local: unix })
    const head = judged(undefined, 'GET / HTTP/1.0')
    expect(send(head, { ...peer, forwarded: 'both' }, connection).lines).toEqual([
      'X-Forwarded-Proto: http',
      'Forwarded: for=unknown;proto=http',
      'Via: 1.0 edge-1',
    ])
  })

  it('has no zone of ours in addresses', () => {
    const client = { address: 'fe80::1%eth0', port: 1, family: 6 } as const
    const options = { ...quiet, forwarded: 'x', fields: ['for'] } as const
    expect(forwarded([], options, connectionOf({ client }))).toEqual(['X-Forwarded-For: fe80::1'])
  })
})

describe('what a trusted peer says', () => {
  it('stays, and the lists go on', () => {
    const lines = [
      'X-Forwarded-For: 192.0.2.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: www.example',
      'X-Forwarded-Port: 443',
      'X-Forwarded-Prefix: /app',
      'X-Forwarded-For: 192.0.2.2 , 192.0.2.3',
      'Forwarded: for=192.0.2.1;proto=https',
    ]
    const options = { ...peer, forwarded: 'both', trustedProxies: ['203.0.113.0/24'] } as const
    expect(forwarded(lines, options, trusted)).toEqual([
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: www.example',
      'X-Forwarded-Port: 443',
      'X-Forwarded-Prefix: /app',
      'X-Forwarded-For: 192.0.2.1, 192.0.2.2 , 192.0.2.3, 203.0.113.9',
      'X-Real-IP: 192.0.2.3',
      'Forwarded: for=192.0.2.1;proto=https, for=203.0.113.9;host=a.example;proto=http',
      'Via: 1.1 edge-1',
    ])
  })

  it('is completed', () => {
    const options = { ...peer, trustedProxies: ['203.0.113.0/24'] }
    expect(forwarded(['X-Forwarded-For: ', 'X-Real-IP: 192.0.2.66'], options, trusted)).toEqual([
      'X-Forwarded-For: 203.0.113.9',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Host: a.example',
      'X-Forwarded-Port: 8080',
      'X-Real-IP: 203.0.113.9',
      'Via: 1.1 edge-1',
    ])
  })
})

describe('the client’s certificate', () => {
  const facts: TlsFacts = {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    serverName: 'a.example',
    alpn: undefined,
    resumed: false,
    peerCertificate: undefined,
  }
  const peerCertificate = {
    subject: '',
    commonName: 'klient č',
    alternativeNames: undefined,
    issuer: '',
    serialNumber: '07',
    fingerprint256: '',
    notAfter: 0,
    der: certificateDer,
    verified: true,
  }
  const options = { ...quiet, certificate: true } as const
  const claim = 'X-SSL-Client-Verify: 0'

  it('is told as HAProxy tells it for Octavia', () => {
    const connection = connectionOf({ tls: { ...facts, peerCertificate } })
    expect(forwarded([claim], options, connection)).toEqual([
      'X-SSL-Client-Verify: 0',
      'X-SSL-Client-Has-Cert: 1',
      'X-SSL-Client-DN: "/C=DE/O=Tests \\"x\\"/CN=klient \u00c4\u008d"',
      'X-SSL-Client-CN: "klient \u00c4\u008d"',
      'X-SSL-Issuer: "/C=DE/O=Tests \\"x\\"/CN=klient \u00c4\u008d"',
      'X-SSL-Client-SHA1: "6611A2E645F7A634EEEF944315771A3A78DC5285"',
      'X-SSL-Client-Not-Before: "261121115002Z"',
      'X-SSL-Client-Not-After: "261028115002Z"',
    ])
  })

  it('is told to be bad or missing', () => {
    const chosen = { ...quiet, certificate: ['verify', 'has-cert', 'dn'] } as const
    const bad = { ...peerCertificate, verified: false }
    expect(
      forwarded([], chosen, connectionOf({ tls: { ...facts, peerCertificate: bad } })),
    ).toEqual([
      'X-SSL-Client-Verify: 1',
      'X-SSL-Client-Has-Cert: 1',
      expect.stringContaining('X-SSL-Client-DN: "/C=DE'),
    ])
    expect(forwarded([], chosen, connectionOf({ tls: facts }))).toEqual([
      'X-SSL-Client-Verify: 0',
      'X-SSL-Client-Has-Cert: 0',
      'X-SSL-Client-DN: ""',
    ])
  })

  it('is never what somebody else says of it', () => {
    expect(forwarded([claim, 'X_SSL_Client_DN: x'], options)).toEqual([])
    expect(forwarded([claim], options, trusted)).toEqual([])
    expect(forwarded([claim], quiet, trusted)).toEqual([claim])
  })

  it('cannot break lines by its names', () => {
    const commonName = 'a\r\nX-Admin: 1\u010d\u010a'
    const connection = connectionOf({
      tls: { ...facts, peerCertificate: { ...peerCertificate, commonName } },
    })
    expect(forwarded([], { ...quiet, certificate: ['cn'] }, connection)).toEqual([
      'X-SSL-Client-CN: "a??X-Admin: 1\u00c4\u008d\u00c4\u008a"',
    ])
  })
})

describe('loops', () => {
  const head = (...vias: string[]): RequestHead =>
    judged(undefined, 'GET / HTTP/1.1', 'Host: a', ...vias.map((via) => `Via: ${via}`))
  const options = { ...peer, maxLoops: 2 }

  it('end when a request has come by too often', () => {
    expect(send(head('1.1 edge-1', '1.0 edge-1'), options).status).toBeUndefined()
    expect(send(head('1.1 edge-1, 1.1 other,1.1 edge-1 (x)', '2.0\tedge-1'), options).status).toBe(
      508,
    )
    expect(
      send(head('1.1 edge-1', '1.1 edge-1', '1.1 edge-1'), { ...options, via: 'none' }).status,
    ).toBeUndefined()
  })

  it('are not others’', () => {
    const others = ['1.1 edge-10', '1.1 an-edge-1', '1.1 x (edge-1)', '1.1 edge-1:80', 'edge-1']
    expect(send(head(...others), { ...options, maxLoops: 0 }).status).toBeUndefined()
  })

  it('are told from those of another balancer by the name alone', () => {
    const one = forwardingSettings().pseudonym
    const other = forwardingSettings().pseudonym
    expect(one).toMatch(/^lb-[a-z2-7]{12}$/)
    expect(one).not.toBe(other)
  })
})

describe('any request', () => {
  const name = fc.constantFrom('X-A', 'Connection', 'X-Forwarded-For', 'Via', 'Cookie', 'TE', 'X_B')
  const value = fc.constantFrom(
    '',
    'a',
    'x-a',
    'x-a, close',
    'trailers',
    '1.1 edge-1',
    '10.0.0.1',
    ',',
    'upgrade',
  )
  const lines = fc.array(fc.tuple(name, value), { maxLength: 12 })

  it('comes out without a line that was ours or the client’s alone', () => {
    fc.assert(
      fc.property(lines, fc.boolean(), (given, isTrusted) => {
        const text = given.map(([field, content]) => `${field}: ${content}\r\n`).join('')
        const head = parsed(bytesOf(`GET / HTTP/1.1\r\nHost: a\r\n${text}\r\n`)) as RequestHead
        if (judgeRequest(head, gateSettings()) !== undefined) return
        const connection = connectionOf({ trusted: isTrusted })
        const { lines: sent, status } = send(head, { ...peer, maxLoops: 100 }, connection)
        expect(status).toBeUndefined()
        const names = sent.map((line) => line.slice(0, line.indexOf(':')).toLowerCase())
        expect(names).not.toContain('connection')
        expect(names).not.toContain('host')
        expect(names).not.toContain('x_b')
        expect(names.filter((field) => field === 'x-forwarded-for')).toHaveLength(1)
        expect(
          sent.filter((line) => line.startsWith('TE:')).every((line) => line === 'TE: trailers'),
        ).toBe(true)
        expect(sent.at(-1)).toBe('Via: 1.1 edge-1')
        expect(sent.find((line) => line.startsWith('X-Forwarded-For'))).toMatch(/203\.0\.113\.9$/)
      }),
    )
  })
})
