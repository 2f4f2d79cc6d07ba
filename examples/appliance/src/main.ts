import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command, CommanderError, Option } from 'commander'
import { wantsColour } from './cli/colours.ts'
import type { TerminalSize } from './cli/screen.ts'
import type { ExitCode, LiveIo } from './commands/command-io.ts'
import { explained } from './commands/remote.ts'
import { version } from './version.ts'

const io: LiveIo = {
  out: (text: string): void => void process.stdout.write(text),
  err: (text: string): void => void process.stderr.write(text),
  readFile: (path: string): Promise<Uint8Array> => readFile(path),
  colour: wantsColour(process.stdout, process.env),
  terminal: process.stdout.isTTY
    ? (): TerminalSize => ({
        columns: process.stdout.columns || 80,
        rows: process.stdout.rows || 24,
      })
    : undefined,
  interrupted() {
    const stop = new AbortController()
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(name))
    return stop.signal
  },
  pause: (ms, signal) =>
    sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {
      // Woken early, as asked.
    }),
}

/**
 * Runs the command line and gives its exit code: 0 well, 1 findings, 2 wrong use. Each command is
 * loaded when it is asked for: those that talk to a node need little of what a node is made of.
 */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = 0
  const program = new Command('steelyard')
    .description('A load balancer: one YAML file, one command.')
    .version(version)
    .exitOverride()
    .showSuggestionAfterError()
  const admin = new Option(
    '--admin <address>',
    'admin endpoint of the node: host:port or unix:/path',
  )
    .env('STEELYARD_ADMIN')
    .default('127.0.0.1:9901')
  const remote = (name: string): Command => program.command(name).addOption(admin)

  program
    .command('check <file>')
    .description('judge a document: 0 ok, 1 findings, 2 unreadable')
    .option('--json', 'findings as JSON', false)
    .option('--strict', 'warnings count too', false)
    .action(async (file: string, options: { json: boolean; strict: boolean }) => {
      const { checkCommand } = await import('./commands/check.ts')
      const { nodeFiles } = await import('./runtime/node-files.ts')
      code = await checkCommand(file, { ...options, files: nodeFiles(file) }, io)
    })
  program
    .command('run')
    .description('run a node until SIGTERM; SIGHUP or a change of the file reloads')
    .requiredOption('-c, --config <file>', 'the document')
    .option('--no-watch', 'reload on SIGHUP only')
    .action(async (options: { config: string; watch: boolean }) => {
      const { runCommand } = await import('./commands/run.ts')
      code = await runCommand(options, io)
    })
  remote('plan <file>')
    .description('what applying a document would change on the running node')
    .option('--json', 'steps as JSON', false)
    .option('--against <file>', 'compare with another document in place of the running node')
    .action(async (file: string, options: { admin: string; json: boolean; against?: string }) => {
      const { against, json } = options
      if (against === undefined) {
        const { planCommand } = await import('./commands/remote-document.ts')
        code = await planCommand(file, options, io)
      } else {
        const { planCommand } = await import('./commands/plan.ts')
        const { nodeFiles } = await import('./runtime/node-files.ts')
        code = await planCommand(file, { json, against, files: nodeFiles(file) }, io)
      }
    })
  remote('apply <file>')
    .description('bring the running node to a document')
    .option('--json', 'result as JSON', false)
    .action(async (file: string, options: { admin: string; json: boolean }) => {
      const { applyCommand } = await import('./commands/remote-document.ts')
      code = await applyCommand(file, options, io)
    })
  remote('status')
    .description('listeners, pools and members of the running node')
    .option('-w, --watch', 'again every second', false)
    .addOption(
      new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table'),
    )
    .action(async (options: { admin: string; watch: boolean; output: 'table' | 'json' }) => {
      const { statusCommand } = await import('./commands/status.ts')
      code = await statusCommand(options, io)
    })
  remote('drain <pool/member>')
    .description('no new connections for a member; counts down those that remain')
    .option('--timeout <duration>', 'cut what remains after this time, such as 30s')
    .option('--no-wait', 'do not wait until it is empty')
    .action(async (target: string, options: { admin: string; timeout?: string; wait: boolean }) => {
      const { drainCommand } = await import('./commands/member.ts')
      code = await drainCommand(target, { ...options, timeout: options.timeout }, io)
    })
  remote('undrain <pool/member>')
    .description('let a member in again, as the document says')
    .action(async (target: string, options: { admin: string }) => {
      const { undrainCommand } = await import('./commands/member.ts')
      code = await undrainCommand(target, options, io)
    })
  remote('weight <pool/member> <weight>')
    .description('another weight for a member, until undrain')
    .action(async (target: string, weight: string, options: { admin: string }) => {
      const { weightCommand } = await import('./commands/member.ts')
      code = await weightCommand(target, weight, options, io)
    })
  remote('explain <request>')
    .description("which listener, rule, pool and member 'GET https://host/path' would get, and why")
    .addOption(
      new Option('-H, --header <line>', "a header, 'name: value'; may be repeated")
        .default([])
        .argParser((line: string, before: string[]) => [...before, line]),
    )
    .option('--client <address>', 'who asks', '127.0.0.1')
    .option('--listener <name>', 'of this listener, whatever the URL says')
    .option('-f, --file <file>', 'of a document, in place of the running node')
    .option('--json', 'explanation as JSON', false)
    .action(
      async (
        request: string,
        options: {
          admin: string
          header: string[]
          client: string
          listener?: string
          file?: string
          json: boolean
        },
      ) => {
        const { explainCommand } = await import('./commands/explain.ts')
        const { nodeFiles } = await import('./runtime/node-files.ts')
        const files = options.file === undefined ? {} : { files: nodeFiles(options.file) }
        code = await explainCommand(request, { ...options, ...files }, io)
      },
    )
  program
    .command('schema')
    .description('print the JSON Schema of the document')
    .action(async () => {
      const { schemaCommand } = await import('./commands/schema.ts')
      code = schemaCommand(io)
    })
  program
    .command('demo')
    .description('TCP, UDP and HTTP backends, real traffic, and a live table')
    .option('--smoke', 'drive it by itself, say what happened, and exit', false)
    .action(async (options: { smoke: boolean }) => {
      const { demoCommand } = await import('./demo/demo.ts')
      code = await demoCommand(options, io)
    })

  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const message = explained(error)
    if (message === undefined) throw error
    io.err(`steelyard: ${message}\n`)
    return 2
  }
  return code
}
