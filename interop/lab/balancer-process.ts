// A balancer in a process of its own, for network namespaces and inherited sockets. Its first argument is
// a Plan in JSON; it tells what happens on its standard output and ends when its standard input does.
import { createInterface } from 'node:readline'
import { type Pool, pool, type SteelyardError } from '@steelyard/core'
import {
  type Check,
  healthMonitor,
  httpCheck,
  type Monitor,
  tcpCheck,
  udpCheck,
} from '@steelyard/health'
import { tcpBalancer, udpBalancer } from '@steelyard/l4'
import type { Plan, Told, ToldError } from './plan.ts'

type Telling = Told extends infer Each ? (Each extends Told ? Omit<Each, 'at'> : never) : never

function tell(what: Telling): void {
  process.stdout.write(`${JSON.stringify({ ...what, at: Date.now() })}\n`)
}

function toldError(error: SteelyardError): ToldError {
  const { code, source, message, cause } = error
  return {
    code,
    source,
    message,
    ...(cause instanceof Error ? { cause: toldError(cause as SteelyardError) } : {}),
  }
}

function toldRecord(record: { readonly reason: string; readonly error?: SteelyardError }): void {
  const { error, ...rest } = record
  tell({
    tell: 'session',
    record: { ...rest, ...(error === undefined ? {} : { error: toldError(error) }) },
  })
}

function checkOf({ check }: Plan, monitor: Monitor): Check | undefined {
  if (check === undefined) return undefined
  const { type, ...options } = check
  switch (type) {
    case 'tcp':
      return tcpCheck({ ...(options as object), monitor })
    case 'http':
      return httpCheck({ ...(options as object), monitor })
    case 'udp':
      return udpCheck({ mode: 'reply', ...(options as object), monitor })
    default:
      return type satisfies never
  }
}

function poolOf(plan: Plan): Pool {
  const check = checkOf(plan, healthMonitor({ firstRound: '50ms' }))
  const group = pool({ ...plan.pool, ...(check === undefined ? {} : { check }) })
  group.on('health', ({ backend, health, reason }) =>
    tell({ tell: 'health', id: backend.id, health, reason }),
  )
  return group
}

const plan = JSON.parse(process.argv[2]!) as Plan
const group = poolOf(plan)
const balancer =
  plan.tcp === undefined
    ? udpBalancer({ drain: 0, ...plan.udp!, pool: group, onSession: toldRecord })
    : tcpBalancer({ drain: 0, ...plan.tcp, pool: group, onSession: toldRecord })
await balancer.start()
const { address, port } = balancer.address!
tell({ tell: 'listening', address, port })
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'stats') tell({ tell: 'stats', stats: balancer.stats() })
}
await balancer.stop()
process.exitCode = 0
