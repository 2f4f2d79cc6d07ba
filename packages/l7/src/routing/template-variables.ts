import { invalidOption, nearestName, shown } from '@steelyard/core'
import type { PeerCertificate, TlsFacts } from '@steelyard/l4'
import type { Exchange } from '../exchange/exchange.ts'
import { tokenOption } from '../filters/field-option.ts'
import { certificateDetails } from './certificate-details.ts'
import { nameFields } from './distinguished-name.ts'
import { verifyResultOf } from './match-tls.ts'

/** What a variable stands for in one exchange; undefined for nothing. */
export type VariableReader = (x: Exchange) => string | number | undefined

/** What its value is made of, which decides how it goes into a URL. */
export type VariableKind = 'authority' | 'path' | 'query' | 'text'

/** A variable of a template. */
export interface Variable {
  readonly name: string
  readonly kind: VariableKind
  readonly read: VariableReader
}

const plain: Readonly<Record<string, VariableReader>> = {
  attempts: ({ attempts }) => attempts,
  backend: ({ backend }) => backend?.id,
  'backend.address': ({ backend }) => backend?.address,
  'backend.host': ({ backend }) => backend?.host,
  'backend.port': ({ backend }) => backend?.port,
  client: ({ request }) => request.client,
  'client.port': ({ connection }) => connection.client.port,
  id: ({ id }) => id,
  listener: ({ listener }) => listener,
  local: ({ request }) => request.local.address,
  'local.port': ({ request }) => request.local.port,
  method: ({ request }) => request.method,
  peer: ({ request }) => request.peer.address,
  'peer.port': ({ request }) => request.peer.port,
  pool: ({ pool }) => pool?.name,
  route: ({ route }) => route,
  scheme: ({ request }) => request.scheme,
  status: ({ status }) => status,
  'time.ms': ({ clock }) => Math.round(clock.wallNow()),
  version: ({ request }) => request.version,
  'tls.alpn': tlsFact(({ alpn }) => alpn),
  'tls.cipher': tlsFact(({ cipher }) => cipher),
  'tls.resumed': tlsFact(({ resumed }) => (resumed ? 1 : 0)),
  'tls.serverName': tlsFact(({ serverName }) => serverName),
  'tls.version': tlsFact(({ version }) => version),
  // A client certificate: what Octavia's X-SSL-Client-* fields are made of.
  'tls.verifyResult': ({ request }) => verifyResultOf(request.tls),
  'tls.hasCertificate': tlsFact(({ peerCertificate }) => (peerCertificate === undefined ? 0 : 1)),
  'tls.subject': certificateFact(({ subject }) => subject),
  'tls.commonName': certificateFact(({ commonName }) => commonName),
  'tls.issuer': certificateFact(({ issuer }) => issuer),
  'tls.serialNumber': certificateFact(({ serialNumber }) => serialNumber),
  'tls.fingerprint256': certificateFact(({ fingerprint256 }) => fingerprint256),
  'tls.sha1': certificateFact((certificate) => certificateDetails(certificate).sha1),
  'tls.notBefore': certificateFact((certificate) => certificateDetails(certificate).notBefore),
  'tls.notAfter': certificateFact((certificate) => certificateDetails(certificate).notAfter),
}

/** Parts of the request's URL: they go into another one as they are. */
const urlParts: Readonly<Record<string, readonly [VariableKind, VariableReader]>> = {
  host: ['authority', ({ request }) => request.host],
  port: ['authority', ({ request }) => request.port || schemePort(request.scheme)],
  authority: [
    'authority',
    ({ request: { host, port } }) => (port === 0 ? host : `${host}:${port}`),
  ],
  path: ['path', ({ request }) => rooted(request.path)],
  target: ['path', ({ request: { path, query } }) => withQuery(rooted(path), query)],
  query: ['query', ({ request }) => request.query],
}

/** Variables with a name of their own behind the colon. */
const named: Readonly<Record<string, (name: string, path: string) => VariableReader>> = {
  header: (name, path) => {
    tokenOption(name, path)
    return ({ request }) => request.header(name)
  },
  cookie: (name, path) => {
    tokenOption(name, path)
    return ({ request }) => request.cookie(name)
  },
  query: (name, path) => {
    if (name === '') throw invalidOption(path, 'a parameter needs a name: write %{query:name}')
    return ({ request }) => request.queryParameter(name)
  },
  'tls.subject': (name) => certificateFact(({ subject }) => nameFields(subject, name)[0]),
  'tls.issuer': (name) => certificateFact(({ issuer }) => nameFields(issuer, name)[0]),
}

const names: readonly string[] = [
  ...Object.keys(plain),
  ...Object.keys(urlParts),
  ...Object.keys(named).map((name) => `${name}:`),
]

/**
 * The variable of that name.
 *
 * @throws `invalid-option` for a name that there is not, with the one that was probably meant.
 */
export function variableNamed(name: string, path: string): Variable {
  const colon = name.indexOf(':')
  if (colon > 0 && Object.hasOwn(named, name.slice(0, colon))) {
    const read = named[name.slice(0, colon)]!(name.slice(colon + 1), path)
    return Object.freeze({ name, kind: 'text', read })
  }
  if (Object.hasOwn(plain, name)) return Object.freeze({ name, kind: 'text', read: plain[name]! })
  if (Object.hasOwn(urlParts, name)) {
    const [kind, read] = urlParts[name]!
    return Object.freeze({ name, kind, read })
  }
  const near = nearestName(name, names)
  const advice = near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}?`
  throw invalidOption(path, `there is no variable ${shown(name)}: ${advice}`)
}

function tlsFact(read: (tls: TlsFacts) => string | number | undefined): VariableReader {
  return ({ request: { tls } }) => (tls === undefined ? undefined : read(tls))
}

function certificateFact(
  read: (certificate: PeerCertificate) => string | undefined,
): VariableReader {
  return tlsFact(({ peerCertificate }) =>
    peerCertificate === undefined ? undefined : read(peerCertificate),
  )
}

function schemePort(scheme: 'http' | 'https'): number {
  return scheme === 'https' ? 443 : 80
}

/** `OPTIONS *` has no path that could stand in a URL. */
function rooted(path: string): string {
  return path.startsWith('/') ? path : '/'
}

function withQuery(path: string, query: string | undefined): string {
  return query === undefined ? path : `${path}?${query}`
}
