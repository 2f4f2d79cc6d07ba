import { ByteReader } from '@steelyard/core/bytes'
import { normalServerName, type ServerNameProblem } from './server-name.ts'

/** What a TLS client says before anything is encrypted, as far as routing needs it. */
export interface ClientHello {
  /** Highest first as the client lists them, without GREASE: 0x0304 is TLS 1.3, 0x0303 TLS 1.2. */
  readonly versions: readonly number[]
  /** The host name asked for (RFC 6066 §3): lower-case, without trailing dot. Absent when there was none that is usable. */
  readonly serverName: string | undefined
  /** Why a host name that was sent is not in `serverName`. */
  readonly serverNameProblem: ServerNameProblem | undefined
  /** Application protocols in the client's order (RFC 7301); one character a byte. */
  readonly alpn: readonly string[]
  /**
   * The client offers Encrypted Client Hello (RFC 9849). Then `serverName` is the public name of the outer
   * hello, and the real name cannot be seen. Clients also send a random one (GREASE ECH) when they have
   * no key for the server; the two cannot be told apart, and with GREASE `serverName` is the real name.
   */
  readonly encrypted: boolean
}

/** Extension numbers that are read here. */
const ExtensionType = {
  serverName: 0,
  alpn: 16,
  supportedVersions: 43,
  encryptedClientHello: 0xfe0d,
} as const

interface Draft {
  versions: number[]
  serverName: string | undefined
  serverNameProblem: ServerNameProblem | undefined
  alpn: string[]
  encrypted: boolean
}

/**
 * Reads the body of a ClientHello message (RFC 8446 §4.1.2), without its 4-byte handshake header.
 *
 * ```
 * legacy_version u16 · random[32] · session id <u8> · cipher suites <u16> · compression <u8>
 * · extensions <u16>, absent in some TLS 1.2 hellos
 * ```
 *
 * @param base - offset of the body in what was received, for error messages.
 * @throws `DecodeError`
 */
export function decodeClientHello(body: Uint8Array, base = 0): ClientHello {
  const reader = new ByteReader(body, base, 'client')
  const legacyVersion = reader.u16('legacy_version')
  reader.bytes(32, 'random')
  const sessionId = reader.u8('session id length')
  if (sessionId > 32) throw reader.error(`${sessionId} is more than 32`, 'session id length')
  reader.bytes(sessionId, 'session id')
  const ciphers = reader.u16('cipher suites length')
  if (ciphers < 2 || ciphers % 2 !== 0) {
    throw reader.error(`${ciphers} bytes are no list of cipher suites`, 'cipher suites length')
  }
  reader.bytes(ciphers, 'cipher suites')
  const compression = reader.u8('compression methods length')
  if (compression < 1) throw reader.error('the list is empty', 'compression methods')
  reader.bytes(compression, 'compression methods')
  const hello: Draft = {
    versions: [],
    serverName: undefined,
    serverNameProblem: undefined,
    alpn: [],
    encrypted: false,
  }
  if (reader.remaining > 0) {
    const extensions = reader.nested(reader.u16('extensions length'), 'extensions')
    if (reader.remaining > 0) throw reader.error('bytes follow the extensions', 'extensions')
    decodeExtensions(extensions, hello)
  }
  if (hello.versions.length === 0) hello.versions.push(legacyVersion)
  return hello
}

function decodeExtensions(reader: ByteReader, hello: Draft): void {
  const seen = new Set<number>()
  while (reader.remaining > 0) {
    const type = reader.u16('extension type')
    if (seen.has(type)) throw reader.error(`${type} is there twice`, 'extension type')
    seen.add(type)
    const body = reader.nested(reader.u16('extension length'), 'extension')
    switch (type) {
      case ExtensionType.serverName:
        decodeServerName(body, hello)
        break
      case ExtensionType.alpn:
        decodeAlpn(body, hello)
        break
      case ExtensionType.supportedVersions:
        decodeVersions(body, hello)
        break
      case ExtensionType.encryptedClientHello:
        hello.encrypted = true
        break
      default:
    }
  }
}

/** RFC 6066 §3: a list of names, at most one of each type; only host names (type 0) were ever defined. */
function decodeServerName(reader: ByteReader, hello: Draft): void {
  const list = whole(reader, reader.u16('server_name length'), 'server_name')
  if (list.remaining === 0) throw list.error('the list is empty', 'server_name')
  let found = false
  while (list.remaining > 0) {
    const type = list.u8('server_name type')
    const name = list.bytes(list.u16('server_name name length'), 'server_name name')
    if (type !== 0) continue
    if (found) throw list.error('has two host names', 'server_name')
    found = true
    const { serverName, problem } = normalServerName(name)
    hello.serverName = serverName
    hello.serverNameProblem = problem
  }
}

/** RFC 7301 §3.1. */
function decodeAlpn(reader: ByteReader, hello: Draft): void {
  const list = whole(reader, reader.u16('alpn length'), 'alpn')
  if (list.remaining === 0) throw list.error('the list is empty', 'alpn')
  while (list.remaining > 0) {
    const length = list.u8('alpn protocol length')
    if (length === 0) throw list.error('a protocol is empty', 'alpn protocol')
    hello.alpn.push(String.fromCharCode(...list.bytes(length, 'alpn protocol')))
  }
}

/** RFC 8446 §4.2.1. */
function decodeVersions(reader: ByteReader, hello: Draft): void {
  const list = whole(reader, reader.u8('supported_versions length'), 'supported_versions')
  if (list.remaining === 0) throw list.error('the list is empty', 'supported_versions')
  while (list.remaining > 0) {
    const version = list.u16('supported_versions version')
    if (!isGrease(version)) hello.versions.push(version)
  }
}

/** A list that must fill its extension. */
function whole(reader: ByteReader, length: number, field: string): ByteReader {
  const list = reader.nested(length, field)
  if (reader.remaining > 0) throw reader.error('bytes follow the list', field)
  return list
}

/** RFC 8701: 0x0a0a, 0x1a1a, … 0xfafa. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >>> 8 === (value & 0xff)
}
