import type { MemberCondition } from '@steelyard/core'
import {
  type ListenerReport,
  type MemberReport,
  type NodeStatus,
  type PoolReport,
  problemText,
} from '../admin/status.ts'
import type { RouteReport } from '../runtime/route-table.ts'
import type { Colours } from './colours.ts'
import { clip } from './screen.ts'
import { table } from './table.ts'

/** The status of a node as a page of text. */
export function renderStatus(status: NodeStatus, paint: Colours, now: number): string {
  const {
    node,
    state,
    uptimeMs,
    config,
    transport,
    loadBalancers,
    pools,
    addressPools,
    quarantined,
  } = status
  const lines = [
    `${paint.bold(`steelyard ${node}`)}  ${state === 'running' ? paint.good(state) : paint.warn(state)}  ${paint.dim(
      `up ${age(uptimeMs)} · configuration ${config.generation} · transport ${transport} · pid ${status.pid}`,
    )}`,
  ]
  if (config.refused !== undefined) {
    lines.push(
      `${paint.bad('!')} the newest document is refused, the one before stays in force:`,
      `  ${config.refused}`,
    )
  }
  for (const problem of quarantined) lines.push(`${paint.bad('!')} ${problemText(problem)}`)
  for (const { name, vip, listeners } of loadBalancers) {
    lines.push('', `${paint.bold(name)}  ${paint.dim(vip)}`, ...listenerLines(listeners, paint))
    for (const { name: listener, routes } of listeners) {
      if (routes !== undefined && routes.length > 0) {
        lines.push('', ...routeLines(`${name}/${listener}`, routes, paint))
      }
    }
  }
  for (const pool of pools) lines.push('', ...poolLines(pool, paint, now))
  for (const { name, used, size, exhausted, disabled } of addressPools) {
    const note = disabled ? paint.warn('disabled') : exhausted ? paint.bad('exhausted') : ''
    lines.push('', `${paint.bold(`addresses ${name}`)}  ${used} of ${size} used  ${note}`.trimEnd())
  }
  return `${lines.join('\n')}\n`
}

function listenerLines(listeners: readonly ListenerReport[], paint: Colours): string[] {
  if (listeners.length === 0) return [paint.dim('  no listeners')]
  return table(
    [
      { heading: paint.dim('  LISTENER') },
      { heading: paint.dim('PROTOCOL') },
      { heading: paint.dim('ADDRESS') },
      { heading: paint.dim('POOL') },
      { heading: paint.dim('OPEN'), align: 'right' },
      { heading: paint.dim('TOTAL'), align: 'right' },
      { heading: paint.dim('IN'), align: 'right' },
      { heading: paint.dim('OUT'), align: 'right' },
      { heading: '' },
    ],
    listeners.map(({ name, protocol, address, pool, stats, state }) => [
      `  ${name}`,
      protocol,
      address,
      pool,
      count(stats.active),
      count('accepted' in stats ? stats.accepted : stats.sessions),
      bytes(stats.bytesFromClient),
      bytes(stats.bytesToClient),
      state === 'draining' ? paint.warn('draining') : '',
    ]),
  )
}

/** Routes of one listener that are shown; the busiest of more. */
const mostRoutes = 20

function routeLines(listener: string, routes: readonly RouteReport[], paint: Colours): string[] {
  const busiest = routes.toSorted((a, b) => b.requests - a.requests).slice(0, mostRoutes)
  const shown = routes.filter((route) => busiest.includes(route))
  const more = routes.length - shown.length
  const number = (value: number): string => (value === 0 ? paint.dim('·') : count(value))
  return [
    `${paint.bold(`routes of ${listener}`)}${more > 0 ? paint.dim(`  ${more} more with less traffic`) : ''}`,
    ...table(
      [
        { heading: paint.dim('  ROUTE') },
        { heading: paint.dim('ACTION') },
        { heading: paint.dim('REQ/S'), align: 'right' },
        { heading: paint.dim('TOTAL'), align: 'right' },
        { heading: paint.dim('2XX'), align: 'right' },
        { heading: paint.dim('3XX'), align: 'right' },
        { heading: paint.dim('4XX'), align: 'right' },
        { heading: paint.dim('5XX'), align: 'right' },
        { heading: paint.dim('OPEN'), align: 'right' },
        { heading: paint.dim('P50'), align: 'right' },
        { heading: paint.dim('P99'), align: 'right' },
      ],
      shown.map(({ name, action, requests, inFlight, statuses, perSecond, p50, p99 }) => [
        `  ${name}`,
        clip(action, 40),
        perSecond === 0 ? paint.dim('·') : perSecond.toFixed(1),
        number(requests),
        number(statuses['2xx'] ?? 0),
        number(statuses['3xx'] ?? 0),
        number(statuses['4xx'] ?? 0),
        statuses['5xx'] === 0 ? paint.dim('·') : paint.bad(count(statuses['5xx'] ?? 0)),
        number(inFlight),
        milliseconds(p50, paint),
        milliseconds(p99, paint),
      ]),
    ),
  ]
}

function milliseconds(value: number, paint: Colours): string {
  if (value === 0) return paint.dim('·')
  return value < 10 ? `${value.toFixed(1)}ms` : `${Math.round(value)}ms`
}

function poolLines(
  { name, algorithm, available, queued, members, persistence }: PoolReport,
  paint: Colours,
  now: number,
): string[] {
  const facts = [
    algorithm,
    available ? paint.good('available') : paint.bad('not available'),
    ...(queued > 0 ? [paint.warn(`${queued} waiting`)] : []),
    ...(persistence === undefined ? [] : [`${count(persistence.entries)} clients remembered`]),
  ]
  return [
    `${paint.bold(`pool ${name}`)}  ${facts.join('  ')}`,
    ...(members.length === 0 ? [paint.dim('  no members')] : memberTable(members, paint, now)),
  ]
}

function memberTable(members: readonly MemberReport[], paint: Colours, now: number): string[] {
  return table(
    [
      { heading: paint.dim('  MEMBER') },
      { heading: paint.dim('HEALTH') },
      { heading: paint.dim('WEIGHT'), align: 'right' },
      { heading: paint.dim('OPEN'), align: 'right' },
      { heading: paint.dim('TOTAL'), align: 'right' },
      { heading: paint.dim('FAILED'), align: 'right' },
      { heading: paint.dim('SINCE'), align: 'right' },
      { heading: paint.dim('WHY') },
    ],
    members.map((member) => memberCells(member, paint, now)),
  )
}

function memberCells(member: MemberReport, paint: Colours, now: number): string[] {
  const {
    id,
    address,
    condition,
    reason,
    since,
    weight,
    configuredWeight,
    backup,
    active,
    total,
    failures,
  } = member
  return [
    `  ${id === address ? address : `${id} ${paint.dim(address)}`}${backup ? paint.dim(' backup') : ''}`,
    conditionText(condition, paint) +
      (member.override === undefined ? '' : paint.warn(' (by hand)')),
    weight === configuredWeight
      ? String(weight)
      : `${Math.round(weight * 10) / 10}/${configuredWeight}`,
    count(active),
    count(total),
    failures === 0 ? '0' : paint.bad(count(failures)),
    age(now - Date.parse(since)),
    paint.dim(withoutAddress(reason, address)),
  ]
}

/** The row has the address already: `connect to 10.0.0.1:80 refused` → `connect refused`. */
function withoutAddress(reason: string, address: string): string {
  return reason.replace(` to ${address}`, '').replace(`${address} `, '')
}

function conditionText(condition: MemberCondition, paint: Colours): string {
  switch (condition) {
    case 'up':
      return paint.good('● up')
    case 'unknown':
      return paint.warn('○ unknown')
    case 'draining':
      return paint.warn('◐ draining')
    case 'disabled':
      return paint.dim('○ disabled')
    case 'ejected':
      return paint.bad('● ejected')
    case 'down':
      return paint.bad('● down')
    default:
      return condition satisfies never
  }
}

/** 1234567 → `1,234,567`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** 1234567 → `1.2 MB`. */
export function bytes(value: number): string {
  let amount = value
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    if (amount < 1000) return `${unit === 'B' ? amount : amount.toFixed(1)} ${unit}`
    amount /= 1000
  }
  return `${amount.toFixed(1)} TB`
}

/** Milliseconds in the largest unit that counts: `42s`, `17m`, `5h`, `12d`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}
