import type { ConnectionFacts } from '../exchange/connection-facts.ts'
import { Head } from '../wire/head.ts'
import type { RequestHead } from '../wire/request-head.ts'
import { addCertificateLines } from './certificate-lines.ts'
import { forwardedElement } from './forwarded-element.ts'
import type { ForwardingSettings } from './forwarding-options.ts'

/** What the requests of one connection are given to take along, made once. */
export interface ForwardedLines {
  /** The same for each request. */
  readonly fixed: Head
  /** With those that depend on what was asked for and on the protocol's version: made anew when that changes. */
  all: Head
  /** Of {@link ForwardedLines.all}; undefined before the first. */
  authority: string | undefined
  version: number
  /** The client's address; empty when it has none. */
  readonly address: string
  readonly proto: 'http' | 'https'
  /** The port that the client connected to. */
  readonly port: string
}

/** Prepares {@link ForwardedLines}; once a connection. */
export function forwardedLines(
  connection: ConnectionFacts,
  settings: ForwardingSettings,
): ForwardedLines {
  const { client, local, tls, trusted } = connection
  const fixed = new Head(256, 8)
  const address = client.family === 'unix' ? '' : withoutZone(client.address)
  const proto = tls === undefined ? 'http' : 'https'
  const port = local.family === 'unix' ? '' : String(local.port)
  if (tls !== undefined && settings.certificate.length > 0) {
    addCertificateLines(fixed, tls, settings.certificate)
  }
  if (!trusted) {
    if (settings.xFor && address !== '') fixed.add('X-Forwarded-For', address)
    if (settings.xProto) fixed.add('X-Forwarded-Proto', proto)
    if (settings.xPort && port !== '') fixed.add('X-Forwarded-Port', port)
    if (settings.realIp && address !== '') fixed.add('X-Real-IP', address)
  }
  return {
    fixed,
    all: none,
    authority: undefined,
    version: 0,
    address,
    proto,
    port,
  }
}

/** All lines for a request: the fixed ones, ours in Via, and for untrusted peers those with the authority in them. */
export function linesFor(
  lines: ForwardedLines,
  connection: ConnectionFacts,
  request: RequestHead,
  settings: ForwardingSettings,
): Head {
  const { version } = request
  const { xHost, rfc7239 } = settings
  // A client may ask for one host after the other: only what tells the host is then made anew.
  const authority = !connection.trusted && (xHost || rfc7239) ? request.authority : ''
  if (lines.authority === authority && lines.version === version) return lines.all
  const all = lines.all === none ? new Head(512, 8) : lines.all
  all.reset()
  all.append(lines.fixed)
  if (!connection.trusted) {
    if (settings.xHost && authority !== '') all.add('X-Forwarded-Host', authority)
    if (settings.rfc7239) {
      all.add('Forwarded', forwardedElement(lines.address, lines.proto, authority))
    }
  }
  if (settings.viaRequests) all.append(viaLine(version, settings))
  lines.all = all
  lines.authority = authority
  lines.version = version
  return all
}

/** Our Via line for a message of this version. */
export function viaLine(version: number, { viaLines }: ForwardingSettings): Head {
  return version === 20 ? viaLines[20] : version === 10 ? viaLines[10] : viaLines[11]
}

const none = new Head(0, 1)

/** The interface of a link-local address means something on our machine alone. */
function withoutZone(address: string): string {
  const zone = address.indexOf('%')
  return zone < 0 ? address : address.slice(0, zone)
}
