import { invalidOption, nearestName, shown, textOption } from '@steelyard/core'
import type { TlsFacts } from '@steelyard/l4'
import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import type { HttpRequest } from '../exchange/http-request.ts'
import { tokenOption } from '../filters/field-option.ts'
import { requestLine } from './log-line.ts'
import { commonTime, haproxyTime, isoTime } from './log-time.ts'
import { terminationState } from './termination-state.ts'
import { traceOf } from './trace-of.ts'

/** What a variable of the access log stands for; undefined for nothing. */
export type LogValue = string | number | boolean | readonly string[] | undefined

/** Reads one fact of a finished exchange. */
export type LogReader = (record: ExchangeRecord, x: Exchange | undefined) => LogValue

const plain: Readonly<Record<string, LogReader>> = {
  'time.ms': ({ time }) => Math.round(time),
  'time.seconds': ({ time }) => Math.round(time) / 1000,
  id: ({ id }) => id,
  listener: ({ listener }) => listener,
  route: ({ route }) => route,
  pool: ({ pool }) => pool,
  backend: ({ backend }) => backend,
  'backend.address': ({ backendAddress }) => backendAddress,
  'backend.status': ({ backendStatus }) => backendStatus || undefined,
  status: ({ status }) => status,
  'status.class': ({ status }) => (status === 0 ? 'none' : `${Math.floor(status / 100)}xx`),
  attempts: ({ attempts }) => attempts,
  retries: retriesOf,
  reused: ({ reused }) => reused,
  endedBy: ({ endedBy }) => endedBy,
  reason: ({ reason }) => reason,
  termination: terminationState,
  flags: ({ flags }) => (flags.length === 0 ? undefined : flags),
  'bytes.in': ({ bytesIn }) => bytesIn,
  'bytes.out': ({ bytesOut }) => bytesOut,
  'ms.head': ({ times }) => reached(times.head),
  'ms.queue': ({ times }) => reached(times.queue),
  'ms.connect': ({ times }) => reached(times.connect),
  'ms.firstByte': ({ times }) => reached(times.firstByte),
  'ms.response': ({ times }) => reached(times.response),
  'ms.total': ({ times }) => reached(times.total),
  'error.code': ({ error }) => error?.code,
  'error.phase': ({ error }) => error?.phase,
  'error.source': ({ error }) => error?.source,
  'error.message': ({ error }) => error?.message,
  client: ({ client }) => client.path ?? client.address,
  'client.port': ({ client }) => client.port || undefined,
  request: requestLine,
  method: ofRequest(({ method }) => method),
  version: ofRequest(({ version }) => version),
  scheme: ofRequest(({ scheme }) => scheme),
  host: ofRequest(({ host }) => host || undefined),
  port: ofRequest(({ port }) => port || undefined),
  path: ofRequest(({ path }) => path),
  query: ofRequest(({ query }) => query),
  target: ofRequest(({ target }) => target),
  peer: ofRequest(({ peer }) => peer.path ?? peer.address),
  'peer.port': ofRequest(({ peer }) => peer.port || undefined),
  local: ofRequest(({ local }) => local.path ?? local.address),
  'local.port': ofRequest(({ local }) => local.port || undefined),
  'tls.version': ofTls(({ version }) => version),
  'tls.cipher': ofTls(({ cipher }) => cipher),
  'tls.serverName': ofTls(({ serverName }) => serverName),
  'tls.alpn': ofTls(({ alpn }) => alpn),
  'tls.resumed': ofTls(({ resumed }) => resumed),
  'tls.subject': ofTls(({ peerCertificate }) => peerCertificate?.subject),
  'tls.commonName': ofTls(({ peerCertificate }) => peerCertificate?.commonName),
  'tls.issuer': ofTls(({ peerCertificate }) => peerCertificate?.issuer),
  'tls.serialNumber': ofTls(({ peerCertificate }) => peerCertificate?.serialNumber),
  'tls.fingerprint256': ofTls(({ peerCertificate }) => peerCertificate?.fingerprint256),
  'tls.verified': ofTls(({ peerCertificate }) => peerCertificate?.verified),
  'trace.id': (record, x) => traceOf(x, record)?.traceId,
  'trace.span': (record, x) => traceOf(x, record)?.spanId,
  'trace.parent': (record, x) => traceOf(x, record)?.parentId,
  'trace.sampled': (record, x) => traceOf(x, record)?.sampled,
}

/** Each log has its own, because they remember the second they wrote last. */
const times: Readonly<Record<string, () => (ms: number) => string>> = {
  time: isoTime,
  'time.common': commonTime,
  'time.haproxy': haproxyTime,
}

/** Variables with a name of their own behind the colon. */
const named: Readonly<Record<string, (name: string, path: string) => LogReader>> = {
  header: (name, path) => {
    tokenOption(name, path)
    return ofRequest((request) => request.header(name))
  },
  responseHeader: (name, path) => {
    tokenOption(name, path)
    return (record) => record.responseHeader(name)
  },
  cookie: (name, path) => {
    tokenOption(name, path)
    return ofRequest((request) => request.cookie(name))
  },
  query: (name, path) => {
    if (name === '') throw invalidOption(path, 'a parameter needs a name: write %{query:name}')
    return ofRequest((request) => request.queryParameter(name))
  },
}

/** Every variable of the access log; those that end in a colon take a name. */
export const logVariableNames: readonly string[] = Object.freeze([
  ...Object.keys(times),
  ...Object.keys(plain),
  ...Object.keys(named).map((name) => `${name}:`),
])

/**
 * The reader of the variable of that name.
 *
 * @throws `invalid-option` for a name that there is not, with the one that was probably meant.
 */
export function logVariable(name: string, path: string): LogReader {
  textOption(name, path)
  if (Object.hasOwn(plain, name)) return plain[name]!
  if (Object.hasOwn(times, name)) {
    const text = times[name]!()
    return ({ time }) => text(time)
  }
  const colon = name.indexOf(':')
  if (colon > 0 && Object.hasOwn(named, name.slice(0, colon))) {
    return named[name.slice(0, colon)]!(name.slice(colon + 1), path)
  }
  const near = nearestName(name, logVariableNames)
  throw invalidOption(
    path,
    `there is no variable ${shown(name)}: ${
      near === undefined ? `there are ${logVariableNames.join(', ')}` : `did you mean ${near}?`
    }`,
  )
}

/** Attempts beyond the first. */
export function retriesOf({ attempts }: ExchangeRecord): number {
  return attempts > 1 ? attempts - 1 : 0
}

function reached(ms: number): number | undefined {
  return ms < 0 ? undefined : ms
}

function ofRequest(read: (request: HttpRequest) => LogValue): LogReader {
  return ({ request }) => (request === undefined ? undefined : read(request))
}

function ofTls(read: (tls: TlsFacts) => LogValue): LogReader {
  return ({ tls }) => (tls === undefined ? undefined : read(tls))
}
