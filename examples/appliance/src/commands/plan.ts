import { colours } from '../cli/colours.ts'
import type { Desired } from '../desired/desired.ts'
import type { DocumentFiles } from '../desired/document-files.ts'
import { load, type Resolution } from '../desired/resolve.ts'
import { formatPlan } from '../reconcile/format-plan.ts'
import { plan } from '../reconcile/plan.ts'
import type { CommandIo, ExitCode } from './command-io.ts'
import { countFindings, formatFindings } from './format-findings.ts'
import { formatQuarantined } from './format-quarantined.ts'

/** How {@link planCommand} works. */
export interface PlanOptions {
  /** One JSON object on standard output instead of text. */
  readonly json?: boolean
  /** What runs now. Default: nothing, so that everything is to be added. */
  readonly running?: Desired
  /** Another document in place of what runs. */
  readonly against?: string
  /** Looks at the files that the document names. Default: nobody looks. */
  readonly files?: DocumentFiles
}

/**
 * `steelyard plan FILE`: says what applying a document would change, and changes nothing.
 *
 * @returns 0 when the document is good, 1 when it has errors, 2 when a file cannot be read.
 */
export async function planCommand(
  file: string,
  options: PlanOptions,
  io: CommandIo,
): Promise<ExitCode> {
  let running = options.running
  if (options.against !== undefined) {
    const other = await read(options.against, {}, io)
    if (other === undefined) return 2
    if (other.desired === undefined) return refused(options.against, other, io)
    running = other.desired
  }
  const { files } = options
  const resolution = await read(
    file,
    { ...(files === undefined ? {} : { files }), ...(running === undefined ? {} : { running }) },
    io,
  )
  if (resolution === undefined) return 2
  const { desired, quarantined, findings } = resolution
  const isBad = findings.some(({ severity }) => severity === 'error')
  const steps = desired === undefined ? undefined : plan(desired, running)
  if (options.json === true) {
    io.out(`${JSON.stringify({ file, ok: !isBad, steps, quarantined, findings }, null, 2)}\n`)
    return isBad ? 1 : 0
  }
  if (steps === undefined) return refused(file, resolution, io)
  if (findings.length > 0) io.err(`${formatFindings(findings, io)}\n\n`)
  io.out(formatPlan(steps, io))
  if (quarantined.length > 0) io.out(`\n${formatQuarantined(quarantined, io.colour)}`)
  return isBad ? 1 : 0
}

async function read(
  file: string,
  options: { readonly files?: DocumentFiles; readonly running?: Desired },
  io: CommandIo,
): Promise<Resolution | undefined> {
  try {
    return load(await io.readFile(file), file, options)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    io.err(`steelyard plan: cannot read ${file}: ${why}\n`)
    return undefined
  }
}

function refused(file: string, { findings }: Resolution, io: CommandIo): ExitCode {
  io.err(`${formatFindings(findings, io)}\n\n`)
  io.err(`${file}: ${colours(io.colour).bad(countFindings(findings))}; nothing would be changed\n`)
  return 1
}
