import { formatDuration, isSteelyardError, parseDuration, SteelyardError } from '@steelyard/core'
import type { MemberReport, NodeStatus } from '../admin/status.ts'
import { type AdminClient, type AdminReply, adminClient } from '../cli/admin-client.ts'
import { colours } from '../cli/colours.ts'
import { renderStatus } from '../cli/render-status.ts'
import { screen } from '../cli/screen.ts'
import type { Finding } from '../desired/finding.ts'
import type { Quarantined } from '../desired/inspection.ts'
import { formatPlan } from '../reconcile/format-plan.ts'
import type { Step } from '../reconcile/step.ts'
import type { CommandIo, ExitCode, LiveIo } from './command-io.ts'
import { countFindings, formatFindings } from './format-findings.ts'
import { formatQuarantined } from './plan.ts'

/** How all commands reach the node. */
export interface RemoteOptions {
  /** The admin endpoint: `host:port` or `unix:/path`. */
  readonly admin: string
}

/** What `POST /plan` and `POST /apply` answer. */
interface Judged {
  readonly findings: readonly Finding[]
  readonly quarantined?: readonly Quarantined[]
  readonly steps?: readonly Step[]
  readonly failed?: readonly {
    readonly step: { readonly text: string }
    readonly message: string
  }[]
}

/** `steelyard plan FILE`: what applying a document would change on the running node. */
export async function planCommand(
  file: string,
  options: RemoteOptions & { readonly json: boolean },
  io: CommandIo,
): Promise<ExitCode> {
  const reply = await sendDocument('/plan', file, options, io)
  if (reply === undefined) return 2
  const isBad = reply.findings.some(({ severity }) => severity === 'error')
  if (options.json) io.out(`${JSON.stringify({ file, ok: !isBad, ...reply }, null, 2)}\n`)
  else if (reply.steps === undefined) {
    const count = colours(io.colour).bad(countFindings(reply.findings))
    io.err(`${file}: ${count}; nothing would be changed\n`)
  } else {
    io.out(formatPlan(reply.steps, io))
    io.out(formatQuarantined(reply.quarantined ?? [], io.colour))
  }
  return isBad ? 1 : 0
}

/** `steelyard apply FILE`: brings the running node to a document. */
export async function applyCommand(
  file: string,
  options: RemoteOptions & { readonly json: boolean },
  io: CommandIo,
): Promise<ExitCode> {
  const reply = await sendDocument('/apply', file, options, io)
  if (reply === undefined) return 2
  const { findings, steps, failed = [], quarantined = [] } = reply
  const isBad = failed.length > 0 || findings.some(({ severity }) => severity === 'error')
  if (options.json) {
    io.out(`${JSON.stringify({ file, ok: !isBad, ...reply }, null, 2)}\n`)
    return isBad ? 1 : 0
  }
  const paint = colours(io.colour)
  if (steps === undefined) {
    io.err(`${file}: ${paint.bad(countFindings(findings))}; nothing was changed\n`)
    return 1
  }
  io.out(formatPlan(steps, io))
  io.out(formatQuarantined(quarantined, io.colour))
  for (const { step, message } of failed) {
    io.err(`${paint.bad('!')} failed: ${step.text}: ${message}\n`)
  }
  if (isBad) {
    io.err(`${file}: ${paint.bad('applied in part')}\n`)
    return 1
  }
  io.out(`${file}: ${paint.good('applied')}; a reload of the node goes back to its own file\n`)
  return 0
}

/** `steelyard status`: the node as a table or JSON, once or until interrupted. */
export async function statusCommand(
  options: RemoteOptions & { readonly watch: boolean; readonly output: 'table' | 'json' },
  io: LiveIo,
): Promise<ExitCode> {
  const client = adminClient(options.admin)
  const paint = colours(io.colour)
  const page = (status: NodeStatus): string => renderStatus(status, paint, Date.now())
  const isTable = options.output === 'table'
  if (!options.watch) {
    const status = await statusOf(client, options)
    io.out(isTable ? page(status) : `${JSON.stringify(status, null, 2)}\n`)
    return 0
  }
  const stop = io.interrupted()
  using live =
    isTable && io.terminal !== undefined
      ? screen((text) => io.out(text), io.terminal)
      : { draw: (text: string) => io.out(text), [Symbol.dispose]: () => {} }
  for (let known = false; !stop.aborted; ) {
    try {
      const status = await statusOf(client, options)
      known = true
      live.draw(isTable ? page(status) : `${JSON.stringify(status)}\n`)
    } catch (error) {
      // A node that answered before may be about to restart.
      if (!known || !isSteelyardError(error, 'admin-unreachable')) throw error
      if (isTable) live.draw(`${paint.bad(error.message)}\n`)
    }
    await io.pause(1000, stop)
  }
  return 0
}

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

function accepted({ status, body }: AdminReply, io: CommandIo): boolean {
  if (status < 300) return true
  io.err(`${(body as { message?: string }).message ?? `the node answered ${status}`}\n`)
  return false
}

async function statusOf(client: AdminClient, { admin }: RemoteOptions): Promise<NodeStatus> {
  const { status, body } = await client.get('/status')
  if (status === 200 && Array.isArray((body as Partial<NodeStatus> | null)?.pools)) {
    return body as NodeStatus
  }
  throw new SteelyardError(`whoever answers at ${admin} is no steelyard (status ${status})`, {
    code: 'admin-unreachable',
    source: 'system',
  })
}

async function sendDocument(
  path: string,
  file: string,
  options: RemoteOptions,
  io: CommandIo,
): Promise<Judged | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await io.readFile(file)
  } catch (error) {
    io.err(`cannot read ${file}: ${(error as Error).message}\n`)
    return undefined
  }
  const reply = await adminClient(options.admin).post(path, Buffer.from(bytes).toString('utf8'))
  const judged = reply.body as Judged
  if (!Array.isArray(judged.findings)) {
    accepted(reply, io)
    return undefined
  }
  // The node knows the text by the name of its own file; here it is the one that was given.
  const findings = judged.findings.map((finding) => ({ ...finding, file }))
  if (findings.length > 0) io.err(`${formatFindings(findings, io)}\n\n`)
  return { ...judged, findings }
}

/** Failures that a command's user can do something about become one line. */
export function explained(error: unknown): string | undefined {
  return isSteelyardError(error) ? error.message : undefined
}
