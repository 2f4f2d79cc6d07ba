import { formatDuration, parseDuration } from '@steelyard/core'
import type { MemberReport, NodeStatus } from '../admin/status.ts'
import { adminClient } from '../cli/admin-client.ts'
import type { CommandIo, ExitCode, LiveIo } from './command-io.ts'
import { accepted, type RemoteOptions, statusOf } from './remote.ts'

/** `steelyard drain POOL/MEMBER`: no new connections, and a countdown of those that remain. */
export async function drainCommand(
  target: string,
  options: RemoteOptions & { readonly timeout: string | undefined; readonly wait: boolean },
  io: LiveIo,
): Promise<ExitCode> {
  const place = placeOf(target, io)
  if (place === undefined) return 2
  const { timeout } = options
  const limitMs = timeout === undefined ? undefined : parseDuration(timeout, '--timeout')
  const client = adminClient(options.admin)
  const change = { state: 'draining', ...(limitMs === undefined ? {} : { cutAfter: limitMs }) }
  const startedAt = performance.now()
  const reply = await client.post(pathOf(place), JSON.stringify(change))
  if (!accepted(reply, io)) return 1
  const limit =
    limitMs === undefined ? '' : `; what is left after ${formatDuration(limitMs)} is cut`
  if (!options.wait) {
    io.out(`${target} is draining${limit}\n`)
    return 0
  }
  const stop = io.interrupted()
  let shown = ''
  for (;;) {
    const member = memberIn(await statusOf(client, options), place)
    const remaining = member?.active ?? 0
    const isWithdrawn = member === undefined || member.override?.state === 'draining'
    if (!isWithdrawn) {
      if (shown !== '' && io.terminal !== undefined) io.out('\n')
      io.err(`${target} was let in again meanwhile\n`)
      return 1
    }
    const left = limitMs === undefined ? undefined : limitMs - (performance.now() - startedAt)
    const line = countdown(target, remaining, left)
    if (line !== shown) io.out(io.terminal === undefined ? `${line}\n` : `\r\u001b[K${line}`)
    shown = line
    if (remaining === 0 || stop.aborted) break
    await io.pause(250, stop)
  }
  if (io.terminal !== undefined) io.out('\n')
  const undo = `"steelyard undrain ${target}" lets it in again`
  if (stop.aborted) {
    io.out(`it goes on draining; ${undo}\n`)
    return 1
  }
  io.out(`${target} is drained; ${undo}\n`)
  return 0
}

function countdown(target: string, remaining: number, leftMs: number | undefined): string {
  const open = `${remaining} connection${remaining === 1 ? '' : 's'} left`
  const seconds = Math.ceil(Math.max(0, leftMs ?? 0) / 1000)
  const deadline = leftMs === undefined || remaining === 0 ? '' : `, cut in ${seconds}s`
  return `${target} is draining, ${open}${deadline}`
}

function memberIn({ pools }: NodeStatus, { pool, member }: Place): MemberReport | undefined {
  return pools.find(({ name }) => name === pool)?.members.find(({ id }) => id === member)
}

/** `steelyard undrain POOL/MEMBER`: the member is as the document says again. */
export async function undrainCommand(
  target: string,
  options: RemoteOptions,
  io: CommandIo,
): Promise<ExitCode> {
  const place = placeOf(target, io)
  if (place === undefined) return 2
  const reply = await adminClient(options.admin).delete(pathOf(place))
  if (!accepted(reply, io)) return 1
  const { state, weight } = reply.body as { state: string; weight: number }
  io.out(`${target} is ${state} with weight ${weight}\n`)
  return 0
}

/** `steelyard weight POOL/MEMBER WEIGHT`: another weight until the node stops or `undrain`. */
export async function weightCommand(
  target: string,
  weight: string,
  options: RemoteOptions,
  io: CommandIo,
): Promise<ExitCode> {
  const place = placeOf(target, io)
  if (place === undefined) return 2
  if (!/^\d{1,5}$/.test(weight) || Number(weight) > 65_535) {
    io.err(`"${weight}" is no weight: write a whole number from 0 to 65535\n`)
    return 2
  }
  const reply = await adminClient(options.admin).post(
    pathOf(place),
    JSON.stringify({ weight: Number(weight) }),
  )
  if (!accepted(reply, io)) return 1
  io.out(`${target} has weight ${Number(weight)}; "steelyard undrain ${target}" undoes it\n`)
  return 0
}

interface Place {
  readonly pool: string
  readonly member: string
}

function placeOf(target: string, io: CommandIo): Place | undefined {
  const slash = target.indexOf('/')
  if (slash > 0 && slash < target.length - 1) {
    return { pool: target.slice(0, slash), member: target.slice(slash + 1) }
  }
  io.err(`"${target}" names no member: write POOL/MEMBER, such as redis/127.0.0.1:7001\n`)
  return undefined
}

function pathOf({ pool, member }: Place): string {
  return `/pools/${encodeURIComponent(pool)}/members/${encodeURIComponent(member)}`
}
