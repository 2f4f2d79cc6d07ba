import { join } from 'node:path'
import { captureChild } from './child.mjs'
import { Problem, step } from './messages.mjs'

const tools = { turbo: 'turbo/bin/turbo', tsc: 'typescript/bin/tsc' }

/**
 * Builds the packages; turbo leaves out what has not changed.
 *
 * @param {string} root
 * @param {{ node: string, env: NodeJS.ProcessEnv, what: 'javascript' | 'all' }} how - `all`: declarations too.
 */
export async function build(root, { node, env, what }) {
  await step('building', async () => {
    await run('turbo', ['run', 'build', '--output-logs=errors-only', '--ui=stream'])
    if (what === 'all') await run('tsc', ['-b', '--pretty', 'false'])
  })

  /**
   * @param {keyof typeof tools} tool
   * @param {readonly string[]} args
   */
  async function run(tool, args) {
    const file = join(root, 'node_modules', tools[tool])
    const { code, output } = await captureChild(node, [file, ...args], { cwd: root, env })
    if (code !== 0) throw new Problem(`${tool} failed:\n${output.trim()}`)
  }
}
