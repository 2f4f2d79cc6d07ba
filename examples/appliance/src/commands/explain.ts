import { isSteelyardError } from '@steelyard/core'
import { adminClient } from '../cli/admin-client.ts'
import { colours } from '../cli/colours.ts'
import { renderExplanation } from '../cli/render-explanation.ts'
import type { DocumentFiles } from '../desired/document-files.ts'
import { load } from '../desired/resolve.ts'
import { documentSources } from '../explain/document-sources.ts'
import { explainRequest } from '../explain/explain.ts'
import type { Explanation } from '../explain/explanation.ts'
import { type Question, questionOf } from '../explain/question.ts'
import { fileReader } from '../runtime/file-reader.ts'
import type { CommandIo, ExitCode } from './command-io.ts'
import { formatFindings } from './format-findings.ts'
import { accepted, type RemoteOptions } from './remote.ts'

/** How {@link explainCommand} works. */
export interface ExplainOptions extends RemoteOptions {
  readonly header: readonly string[]
  readonly client: string
  readonly listener?: string | undefined
  /** A document in place of the running node. */
  readonly file?: string | undefined
  /** Looks at the files that the document names. Default: nobody looks. */
  readonly files?: DocumentFiles
  readonly json: boolean
}

/**
 * `steelyard explain REQUEST`: which listener, rule, pool and member a request would get, and why.
 *
 * @returns 0 when a rule takes it, 1 when none does, 2 when it cannot be said.
 */
export async function explainCommand(
  request: string,
  options: ExplainOptions,
  io: CommandIo,
): Promise<ExitCode> {
  const { header, client, listener, file, json } = options
  let question: Question
  try {
    question = questionOf(request, header, client, listener)
  } catch (error) {
    if (!isSteelyardError(error)) throw error
    io.err(`steelyard explain: ${error.message}\n`)
    return 2
  }
  const told =
    file === undefined
      ? await fromNode(question, options, io)
      : await fromDocument(file, question, options, io)
  if (told === undefined) return 2
  io.out(json ? `${JSON.stringify(told, null, 2)}\n` : renderExplanation(told, colours(io.colour)))
  return told.rule === undefined ? 1 : 0
}

async function fromNode(
  question: Question,
  options: RemoteOptions,
  io: CommandIo,
): Promise<Explanation | undefined> {
  const reply = await adminClient(options.admin).post('/explain', JSON.stringify(question))
  return accepted(reply, io) ? (reply.body as Explanation) : undefined
}

async function fromDocument(
  file: string,
  question: Question,
  { files }: ExplainOptions,
  io: CommandIo,
): Promise<Explanation | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await io.readFile(file)
  } catch (error) {
    io.err(
      `steelyard explain: cannot read ${file}: ${error instanceof Error ? error.message : String(error)}\n`,
    )
    return undefined
  }
  const { desired, findings } = load(bytes, file, files === undefined ? {} : { files })
  if (findings.some(({ severity }) => severity === 'error')) {
    io.err(`${formatFindings(findings, io)}\n\n`)
  }
  if (desired === undefined) return undefined
  return explainRequest(documentSources(desired, fileReader(file)), question)
}
