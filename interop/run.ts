import { spawn } from 'node:child_process'

/** What a command said, and how it ended. */
export interface Outcome {
  /** 128 and more: a signal ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** How a command is run. */
export interface RunOptions {
  /** Written to its standard input, which is then closed. Default: nothing. */
  readonly input?: string | Uint8Array
  /** It is killed after so many milliseconds. Default 30 s. */
  readonly within?: number
  readonly env?: Readonly<Record<string, string>>
}

/** Runs a command to its end. What it fails at is for the caller to judge; that it cannot be started throws. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const { input = '', within = 30_000, env = {} } = options
  const child = spawn(command, [...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', ...env },
    timeout: within,
    killSignal: 'SIGKILL',
  })
  // It need not read all that it is given.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const said = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  child.stdout.on('data', (bytes: Buffer) => said.stdout.push(bytes))
  child.stderr.on('data', (bytes: Buffer) => said.stderr.push(bytes))
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exit, signal) => resolve(exit ?? (signal === null ? 1 : 128)))
  })
  return {
    code,
    stdout: Buffer.concat(said.stdout).toString(),
    stderr: Buffer.concat(said.stderr).toString(),
  }
}

/** The same for a command that must succeed; gives what it said. */
export async function said(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options)
  if (code === 0) return stdout
  throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stderr}${stdout}`)
}
