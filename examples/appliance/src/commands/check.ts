import { colours } from '../cli/colours.ts'
import type { Desired, DesiredListener } from '../desired/desired.ts'
import type { DocumentFiles } from '../desired/document-files.ts'
import { load } from '../desired/resolve.ts'
import type { CommandIo, ExitCode } from './command-io.ts'
import { countFindings, formatFindings } from './format-findings.ts'

/** How {@link checkCommand} works. */
export interface CheckOptions {
  /** One JSON object on standard output instead of text. */
  readonly json?: boolean
  /** Warnings count as findings too. */
  readonly strict?: boolean
  /** Looks at the files that the document names. Default: nobody looks. */
  readonly files?: DocumentFiles
}

/**
 * `steelyard check FILE`: judges a document without applying it.
 *
 * @returns 0 when it is good, 1 when there are errors, 2 when it cannot be read.
 */
export async function checkCommand(
  file: string,
  options: CheckOptions,
  io: CommandIo,
): Promise<ExitCode> {
  let bytes: Uint8Array
  try {
    bytes = await io.readFile(file)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    io.err(`steelyard check: cannot read ${file}: ${why}\n`)
    return 2
  }
  const { desired, findings } = load(
    bytes,
    file,
    options.files === undefined ? {} : { files: options.files },
  )
  const isBad = findings.some(({ severity }) => options.strict === true || severity === 'error')
  if (options.json === true) {
    io.out(
      `${JSON.stringify({ file, ok: !isBad, findings, ...(isBad || desired === undefined ? {} : { summary: summaryOf(desired) }) }, null, 2)}\n`,
    )
    return isBad ? 1 : 0
  }
  if (findings.length > 0) io.err(`${formatFindings(findings, io)}\n\n`)
  const paint = colours(io.colour)
  if (isBad || desired === undefined) {
    io.err(`${file}: ${paint.bad(countFindings(findings))}\n`)
    return 1
  }
  const verdict =
    findings.length === 0 ? paint.good('ok') : paint.warn(`ok, with ${countFindings(findings)}`)
  io.out(`${paint.bold(file)}: ${verdict}\n${formatSummary(summaryOf(desired))}`)
  return 0
}

/** What a document amounts to. */
interface Summary {
  readonly node: string
  readonly admin: string
  readonly listeners: Readonly<Record<DesiredListener['protocol'], number>>
  readonly pools: number
  readonly members: number
  readonly backups: number
  /** Addresses that clients connect to. */
  readonly addresses: readonly string[]
}

/** Counts the objects of a document. */
function summaryOf(desired: Desired): Summary {
  const listeners = { tcp: 0, tls: 0, udp: 0, http: 0, https: 0, h2c: 0 }
  for (const { protocol } of Object.values(desired.listeners)) listeners[protocol] += 1
  const members = Object.values(desired.pools).flatMap((pool) => Object.values(pool.members))
  const addresses = Object.values(desired.loadBalancers).flatMap(({ address }) => address ?? [])
  return {
    node: desired.node.name,
    admin: desired.admin.listen,
    listeners,
    pools: Object.keys(desired.pools).length,
    members: members.length,
    backups: members.filter(({ backup }) => backup).length,
    addresses: [...new Set(addresses)],
  }
}

function formatSummary(summary: Summary): string {
  const { listeners, addresses } = summary
  const kinds = (['tcp', 'tls', 'udp', 'http', 'https', 'h2c'] as const)
    .filter((kind) => listeners[kind] > 0)
    .map((kind) => `${listeners[kind]} ${kind}`)
  const shown = addresses.slice(0, 4).join(', ')
  const rows: (readonly [string, number, string])[] = [
    ['listeners', Object.values(listeners).reduce((sum, one) => sum + one, 0), kinds.join(', ')],
    ['pools', summary.pools, ''],
    ['members', summary.members, summary.backups === 0 ? '' : `${summary.backups} backup`],
    ['addresses', addresses.length, addresses.length > 4 ? `${shown}, …` : shown],
  ]
  const width = Math.max(...rows.map(([, count]) => String(count).length))
  const lines = rows.map(([name, count, detail]) =>
    `  ${name.padEnd(9)}  ${String(count).padStart(width)}  ${detail}`.trimEnd(),
  )
  return [`  node       ${summary.node}, admin on ${summary.admin}`, ...lines, ''].join('\n')
}
