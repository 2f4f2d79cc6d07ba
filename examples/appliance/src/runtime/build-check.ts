import type { HealthCheck } from '@steelyard/core'
import { parseEndpoint } from '@steelyard/core/ip'
import {
  allOf,
  anyOf,
  atLeast,
  type Check,
  type CheckOptions,
  type HttpCheckOptions,
  httpCheck,
  type Monitor,
  type ProbeTarget,
  scriptCheck,
  type TlsSettings,
  tcpCheck,
  tlsCheck,
  udpCheck,
} from '@steelyard/health'
import type { DesiredHealth, DesiredMember } from '../desired/desired.ts'
import { type FileReader, pairOf } from './file-reader.ts'

type Combined = Extract<DesiredHealth, { readonly checks: unknown }>
type Single = Exclude<DesiredHealth, Combined>
type Part = Combined['checks'][number]

/** The check of a pool, made by the node's one monitor; members may say where they are checked. */
export function buildCheck(
  health: DesiredHealth,
  members: readonly DesiredMember[],
  monitor: Monitor,
  files: FileReader,
): HealthCheck {
  const check = wholeCheck(health, files)
  const elsewhere = new Map(members.flatMap(placeOf))
  const located =
    elsewhere.size === 0
      ? check
      : {
          ...check,
          locate: (target: ProbeTarget) => elsewhere.get(target.address) ?? check.locate(target),
        }
  return { attach: (subject) => monitor.attach(subject, located) }
}

function wholeCheck(health: DesiredHealth, files: FileReader): Check {
  const schedule = scheduleOf(health)
  const parts = (checks: readonly Part[]): Check[] =>
    checks.map((part) => {
      const timeout = part.timeout ?? health.timeout
      return singleCheck(part, { ...schedule, timeout }, files)
    })
  switch (health.type) {
    case 'all-of':
      return allOf(...parts(health.checks))
    case 'any-of':
      return anyOf(...parts(health.checks))
    case 'at-least':
      return atLeast(health.count, ...parts(health.checks))
    default:
      return singleCheck(health, schedule, files)
  }
}

function scheduleOf(health: DesiredHealth): CheckOptions {
  const { interval, fastInterval, downInterval, timeout, rise, fall, initial } = health
  return {
    interval,
    timeout,
    rise,
    fall,
    initial,
    ...(fastInterval === undefined ? {} : { fastInterval }),
    ...(downInterval === undefined ? {} : { downInterval }),
  }
}

function singleCheck(health: Single | Part, schedule: CheckOptions, files: FileReader): Check {
  const { address, port } = health
  const source = 'source' in health ? health.source : undefined
  const common = {
    ...schedule,
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port }),
    ...(source === undefined ? {} : { source }),
  }
  switch (health.type) {
    case 'tcp':
      return tcpCheck({ ...common, close: health.close })
    case 'tcp-script':
      return tcpCheck({ ...common, steps: health.steps, maxBytes: health.maxBytes })
    case 'tls': {
      const { alpn, steps, maxBytes } = health
      return tlsCheck({
        ...common,
        ...tlsSettings(health, files),
        ...(alpn.length === 0 ? {} : { alpn }),
        ...(steps === undefined ? {} : { steps, maxBytes }),
      })
    }
    case 'http':
      return httpCheck({ ...common, ...httpOptions(health) })
    case 'https':
      return httpCheck({ ...common, ...httpOptions(health), tls: tlsSettings(health, files) })
    case 'udp': {
      const { mode, send, expect } = health
      return udpCheck({
        ...common,
        mode,
        ...(send === undefined ? {} : { send }),
        ...(expect === undefined ? {} : { expect }),
      })
    }
    case 'script': {
      const { command, args, env, cwd } = health
      return scriptCheck({ ...common, command, args, env, ...(cwd === undefined ? {} : { cwd }) })
    }
    default:
      return health satisfies never
  }
}

function httpOptions(health: Extract<Part, { type: 'http' | 'https' }>): HttpCheckOptions {
  const {
    method,
    path,
    host,
    headers,
    body,
    expect,
    expectBody,
    expectHeaders,
    maxBody,
    keepAlive,
  } = health
  return {
    method,
    path,
    headers,
    expect,
    maxBody,
    keepAlive,
    expectHeaders: Object.fromEntries(
      Object.entries(expectHeaders).map(([name, content]) => [
        name,
        typeof content === 'string' ? content : new RegExp(content.regex, content.flags),
      ]),
    ),
    version: health.http2 ? '2' : '1.1',
    ...(host === undefined ? {} : { host }),
    ...(body === undefined ? {} : { body }),
    ...(expectBody === undefined ? {} : { expectBody }),
  }
}

function tlsSettings(
  {
    verify,
    serverName,
    ca,
    certificate,
    minVersion,
    warnBefore,
  }: Extract<Part, { type: 'tls' | 'https' }>,
  files: FileReader,
): TlsSettings {
  return {
    verify,
    minVersion,
    warnBefore,
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(ca === undefined ? {} : { ca: files.read(ca) }),
    ...(certificate === undefined ? {} : pairOf(certificate, files)),
  }
}

/** Does the check depend on the content of files, which may be another while the document is the same? */
export function namesFiles(health: DesiredHealth | undefined): boolean {
  if (health === undefined) return false
  if ('checks' in health) return health.checks.some(dependsOnFiles)
  return dependsOnFiles(health)
}

function dependsOnFiles(check: Single | Part): boolean {
  const isTls = check.type === 'tls' || check.type === 'https'
  return isTls && (check.ca !== undefined || check.certificate !== undefined)
}

/** Where a member is checked, by its address, if that is not where it serves. */
function placeOf({ address, health }: DesiredMember): [string, ProbeTarget][] {
  if (health.address === undefined && health.port === undefined) return []
  const own = parseEndpoint(address)
  const host = health.address ?? own.host
  const port = health.port ?? own.port
  const text = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  return [[own.text, Object.freeze({ address: text, host, port })]]
}
