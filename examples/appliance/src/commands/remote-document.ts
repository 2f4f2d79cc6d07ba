import { adminClient } from '../cli/admin-client.ts'
import { colours } from '../cli/colours.ts'
import type { Finding } from '../desired/finding.ts'
import type { Quarantined } from '../desired/inspection.ts'
import { formatPlan } from '../reconcile/format-plan.ts'
import type { Step } from '../reconcile/step.ts'
import type { CommandIo, ExitCode } from './command-io.ts'
import { countFindings, formatFindings } from './format-findings.ts'
import { formatQuarantined } from './format-quarantined.ts'
import { accepted, type RemoteOptions } from './remote.ts'

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
  const reply = await adminClient(options.admin).post(path, bytes)
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
