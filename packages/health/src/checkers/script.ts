import { type ChildProcess, spawn } from 'node:child_process'
import { isAbsolute } from 'node:path'
import { invalidOption, listOption, objectOption, shown, textOption } from '@steelyard/core'
import { attempt } from '../attempt.ts'
import { canonicalText } from '../canonical-text.ts'
import { type Check, type CheckOptions, check } from '../check.ts'
import {
  type Evidence,
  failed,
  inconclusive,
  type Probe,
  type ProbeContext,
  type ProbeTarget,
  passed,
  refused,
} from '../probe.ts'

/** What {@link scriptCheck} may be told. */
export interface ScriptCheckOptions extends CheckOptions {
  /** The program: an absolute path, or a name to be found by `PATH`. No shell reads it. */
  readonly command: string
  /** Its arguments, each handed over as it is. Default: none. */
  readonly args?: readonly string[]
  /** Variables for its environment, besides those that {@link scriptCheck} sets. Default: none. */
  readonly env?: Readonly<Record<string, string>>
  /** Where it runs. Default: the directory of this process. */
  readonly cwd?: string
}

/**
 * Well is whom a program says to be: exit code 0. Any other code, or death by a signal, is a failure; the
 * last line of its output becomes the reason. When the time is up its whole process group is killed,
 * and so is what it leaves behind with its output still open. This file is the only place of the package
 * that starts processes.
 *
 * The environment is exactly this: `PATH` of this process, `STEELYARD_TARGET` (`10.0.0.3:80`),
 * `STEELYARD_ADDRESS` (`10.0.0.3`, or the socket's path), `STEELYARD_PORT` (`80`; `0` for a unix socket),
 * `STEELYARD_STATE` (`up`, `down` or `unknown`: the verdict so far), `STEELYARD_TIMEOUT_MS`, and `env`.
 *
 * @example
 * ```ts
 * scriptCheck({ command: '/usr/local/lib/steelyard/check-replica', args: ['--max-lag', '5'], every: '10s' })
 * ```
 *
 * @throws `invalid-option` with the path of the field.
 */
export function scriptCheck(options: ScriptCheckOptions): Check {
  const { command, args = [], env = {}, cwd } = objectOption(options, 'scriptCheck')
  if (typeof command !== 'string' || command === '' || command.includes('\0')) {
    throw invalidOption('scriptCheck.command', 'needs the path or name of a program')
  }
  if (command.includes('/') && !isAbsolute(command)) {
    throw invalidOption(
      'scriptCheck.command',
      `${shown(command)} depends on the current directory: use an absolute path, or a bare name`,
    )
  }
  listOption(args, 'scriptCheck.args').forEach((arg, index) => {
    if (typeof arg === 'string' && !arg.includes('\0')) return
    throw invalidOption(`scriptCheck.args[${index}]`, 'must be text without a zero byte')
  })
  for (const [name, value] of Object.entries(objectOption(env, 'scriptCheck.env'))) {
    const isText = typeof value === 'string' && !value.includes('\0')
    if (/^[A-Za-z_]\w*$/.test(name) && isText) continue
    throw invalidOption(
      `scriptCheck.env.${name}`,
      'is not a variable: name and text without a zero byte',
    )
  }
  if (cwd !== undefined) textOption(cwd, 'scriptCheck.cwd')
  return check('script', scriptProbe(command, args, env, cwd), {
    ...options,
    key: canonicalText({ command, args, env, cwd }),
  })
}

/** Of the output, only so much is kept. */
const tailBytes = 4096
/** How long the output may stay open after the program has ended. */
const outputMs = 100

function scriptProbe(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string | undefined,
): Probe {
  return (target, context) =>
    attempt(context.signal, (settle) => {
      const child = spawn(command, [...args], {
        shell: false,
        // A group of its own, so that all of it can be killed.
        detached: true,
        windowsHide: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...environment(target, context), ...env },
        ...(cwd === undefined ? {} : { cwd }),
      })
      let tail: Buffer = Buffer.alloc(0)
      let waiting: Disposable | undefined
      const keep = (bytes: Buffer): void => {
        tail = Buffer.concat([tail, bytes]).subarray(-tailBytes)
      }
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        const line = lastLine(tail)
        const evidence: Evidence = code === null ? { signal: signal ?? 'none' } : { exitCode: code }
        if (code === 0) {
          settle(
            passed(line === '' ? `${command} says that ${target.address} is well` : line, evidence),
          )
        } else if (code === null) {
          settle(failed(`${command} was killed by ${signal ?? 'a signal'}`, evidence))
        } else {
          settle(refused(`${line === '' ? command : line} (exit code ${code})`, evidence))
        }
      }
      child.stdout.on('data', keep)
      child.stderr.on('data', keep)
      child.on('error', (error) => {
        settle(inconclusive(`${command} could not be started: ${error.message}`))
      })
      child.on('close', ended)
      child.on('exit', (code, signal) => {
        waiting = context.clock.after(outputMs, () => ended(code, signal))
      })
      return {
        timeUp: () => failed(`${command} did not end within ${context.timeoutMs}ms and was killed`),
        close() {
          waiting?.[Symbol.dispose]()
          end(child)
        },
      }
    })
}

function environment(target: ProbeTarget, context: ProbeContext): Record<string, string> {
  // oxlint-disable-next-line node/no-process-env -- documented: PATH, and nothing else, is inherited.
  const { PATH } = process.env
  return {
    ...(PATH === undefined ? {} : { PATH }),
    STEELYARD_TARGET: target.address,
    STEELYARD_ADDRESS: target.host,
    STEELYARD_PORT: String(target.port),
    STEELYARD_STATE: context.state,
    STEELYARD_TIMEOUT_MS: String(context.timeoutMs),
  }
}

/** Kills what is left of the program's group, and lets go of its output. */
function end(child: ChildProcess): void {
  const open = child.stdout?.closed === false || child.stderr?.closed === false
  const running = child.exitCode === null && child.signalCode === null
  // Once the program has ended and its output is closed, the group is empty and its number may be another's.
  if (child.pid !== undefined && (running || open)) {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // The group is gone already, or the platform knows no groups.
      child.kill('SIGKILL')
    }
  }
  child.stdout?.destroy()
  child.stderr?.destroy()
}

/** The last line that is not empty, without control characters, of bounded length. */
function lastLine(output: Buffer): string {
  const lines = output
    .toString('utf8')
    .split('\n')
    .map((line) => line.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ').trim())
    .filter((line) => line !== '')
  return (lines.at(-1) ?? '').slice(0, 200)
}
