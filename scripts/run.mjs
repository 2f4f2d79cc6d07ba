#!/usr/bin/env node
// The entry of every command in package.json. It runs under whatever Node the machine has (18 or later),
// needs nothing installed, prepares what the task needs, and hands over to the repository's own Node.
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from './setup/build.mjs'
import { runChild } from './setup/child.mjs'
import { install } from './setup/install.mjs'
import { withLock } from './setup/lock.mjs'
import { Problem, say } from './setup/messages.mjs'
import { ownNode } from './setup/node.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const appliance = 'examples/appliance/bin/steelyard.mjs'

/**
 * `run`: what the repository's Node is started with; the arguments of the caller follow.
 * `build`: what is built first. `here`: run in the folder of the caller, not in the root.
 *
 * @typedef {{ help: string, build?: 'javascript' | 'all', run?: string[], here?: boolean }} Task
 * @type {Readonly<Record<string, Task>>}
 */
const tasks = {
  install: { help: 'install dependencies, when the lockfile asks for it' },
  build: { help: 'JavaScript and declarations of all packages', build: 'all' },
  start: { help: 'the demo of the appliance', build: 'javascript', run: [appliance, 'demo'] },
  steelyard: { help: 'the appliance', build: 'javascript', run: [appliance], here: true },
  test: {
    help: 'everything that can be tested on this machine',
    build: 'javascript',
    run: ['scripts/test.ts'],
  },
  vitest: { help: 'vitest with your arguments', run: ['node_modules/vitest/vitest.mjs'] },
  check: {
    help: 'format, lint, types, dead code, package hygiene, docs',
    build: 'javascript',
    run: ['scripts/check.ts'],
  },
  format: {
    help: 'format all files',
    run: ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', '.'],
  },
  docs: { help: 'the API site, in docs/site', run: ['scripts/docs.ts'] },
  bench: { help: 'benchmarks', build: 'javascript', run: ['bench/main.ts'] },
}

/** @param {readonly string[]} argv */
async function main([name = '', ...args]) {
  const task = tasks[name]
  if (task === undefined || !Object.hasOwn(tasks, name)) {
    const list = Object.entries(tasks).map(([key, { help }]) => `  ${key.padEnd(10)} ${help}`)
    const problem = name === '' ? 'no task was named' : `there is no task "${name}"`
    throw new Problem(`${problem}; choose one of\n${list.join('\n')}`, 2)
  }
  const node = await withLock(join(root, '.turbo', 'setup.lock'), async () => {
    await install(root)
    const found = ownNode(root)
    if (task.build !== undefined) {
      await build(root, { node: found, env: environment(found), what: task.build })
    }
    return found
  })
  const [script, ...first] = task.run ?? []
  if (script === undefined) return 0
  const file = join(root, script)
  if (!existsSync(file)) {
    throw new Problem(`${script} is not there, so "${name}" has nothing to run`)
  }
  const cwd = task.here === true ? (process.env['INIT_CWD'] ?? process.cwd()) : root
  const { code } = await runChild(node, [file, ...first, ...args], { cwd, env: environment(node) })
  return code
}

/**
 * Tools and scripts find the repository's Node and its tools first, and tell nobody about it.
 *
 * @param {string} node
 */
function environment(node) {
  const path = [join(root, 'node_modules', '.bin'), dirname(node), process.env['PATH'] ?? '']
  return {
    ...process.env,
    PATH: path.join(delimiter),
    DO_NOT_TRACK: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    TURBO_TELEMETRY_DISABLED: '1',
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Problem)) throw error
  say(error.message)
  process.exitCode = error.exitCode
}
