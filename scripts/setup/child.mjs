import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { Problem } from './messages.mjs'

/** @typedef {{ cwd?: string, env?: NodeJS.ProcessEnv }} ChildOptions */
/** @typedef {{ code: number, stoppedBy?: NodeJS.Signals }} ChildEnd */

/** @type {readonly NodeJS.Signals[]} */
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']

/**
 * Runs a command in our place: same input and output, signals passed on. Resolves with its exit code, and
 * with the signal if one asked us to stop meanwhile.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {ChildOptions} [options]
 * @returns {Promise<ChildEnd>}
 */
export function runChild(command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: 'inherit' })
  return ended(child, command)
}

/**
 * Runs a command and keeps what it prints. Rejects when we are asked to stop meanwhile.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {ChildOptions} [options]
 * @returns {Promise<{ code: number, output: string }>}
 */
export async function captureChild(command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  /** @type {Buffer[]} */
  const chunks = []
  child.stdout.on('data', (chunk) => chunks.push(chunk))
  child.stderr.on('data', (chunk) => chunks.push(chunk))
  const { code, stoppedBy } = await ended(child, command)
  if (stoppedBy !== undefined) {
    throw new Problem(`stopped by ${stoppedBy}`, 128 + constants.signals[stoppedBy])
  }
  return { code, output: Buffer.concat(chunks).toString('utf8') }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} command
 * @returns {Promise<ChildEnd>}
 */
function ended(child, command) {
  return new Promise((resolve, reject) => {
    /** @type {NodeJS.Signals | undefined} */
    let stoppedBy
    /** @param {NodeJS.Signals} signal */
    const forward = (signal) => {
      if (signal === 'SIGINT' || signal === 'SIGTERM') stoppedBy = signal
      // A terminal gives Ctrl-C and its hang-up to the whole process group: the child has had it,
      // and a second one would mean "at once" to it.
      const fromTerminal = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGHUP')
      if (!fromTerminal) child.kill(signal)
    }
    for (const signal of forwarded) process.on(signal, forward)
    const settle = () => {
      for (const signal of forwarded) process.off(signal, forward)
    }
    child.on('error', (error) => {
      settle()
      reject(new Problem(`${command} does not start: ${error.message}`))
    })
    child.on('close', (code, signal) => {
      settle()
      const exit = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
      resolve(stoppedBy === undefined ? { code: exit } : { code: exit, stoppedBy })
    })
  })
}
