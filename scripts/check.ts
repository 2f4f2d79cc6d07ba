// `npm run check`: what is true of good files, without running them. Each step says one line; one that fails shows
// all it said; the rest runs all the same. `npm run check -- lint types` runs only the steps named.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildDeclarations } from './packing/declarations.ts'
import { pack, publicPackages } from './packing/packages.ts'
import { nothing, type Tally, writeTally } from './report/tally.ts'
import { captureChild } from './setup/child.mjs'
import { Problem } from './setup/messages.mjs'

/** A step gives what is wrong, or nothing. */
type Step = () => Promise<string | undefined>

const typescript = '7.0.2'
const linted = ['packages', 'examples', 'interop', 'bench', 'smoke', 'scripts', 'docs/test']

const steps: Readonly<Record<string, Step>> = {
  format: () => tool('@biomejs/biome/bin/biome', 'check', '--colors=off', '.'),
  lint: () => tool('oxlint/bin/oxlint', '--type-aware', '--deny-warnings', ...linted),
  types: async () => (await compilerVersion()) ?? (await builds()) ?? (await testTypes()),
  knip: () => tool('knip/bin/knip.js', '--no-progress', '--no-config-hints'),
  packages: packageHygiene,
  docs: () => node('scripts/docs.ts'),
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Problem)) throw error
  console.error(error.message)
  process.exitCode = error.exitCode
}

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !Object.hasOwn(steps, name))
  if (unknown !== undefined) {
    throw new Problem(
      `there is no step "${unknown}"; choose from ${Object.keys(steps).join(', ')}`,
      2,
    )
  }
  const chosen = Object.entries(steps).filter(
    ([name]) => names.length === 0 || names.includes(name),
  )
  let failed = 0
  for (const [name, step] of chosen) {
    const begun = performance.now()
    const wrong = await step()
    const seconds = ((performance.now() - begun) / 1000).toFixed(1)
    console.log(`${wrong === undefined ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${seconds} s`)
    if (wrong !== undefined) {
      failed += 1
      console.log(`${wrong.trim()}\n`)
    }
  }
  const tally: Tally = { ...nothing, passed: chosen.length - failed, failed }
  process.exitCode = failed > 0 ? 1 : 0
  const file = process.env['STEELYARD_TALLY']
  if (file === undefined) console.log(`check: ${tally.passed} steps ok, ${failed} failed`)
  else writeTally(file, tally)
}

/** Runs a script with our own Node. */
async function node(script: string, ...args: readonly string[]): Promise<string | undefined> {
  const { code, output } = await captureChild(process.execPath, [script, ...args])
  return code === 0 ? undefined : output || `${script} ended with code ${code}`
}

function tool(script: string, ...args: readonly string[]): Promise<string | undefined> {
  return node(join('node_modules', script), ...args)
}

/** Another TypeScript in the tree can take the place of ours in silence. */
async function compilerVersion(): Promise<string | undefined> {
  const { output } = await captureChild('tsc', ['--version'])
  if (output.trim() === `Version ${typescript}`) return undefined
  return `"tsc" says "${output.trim()}" and should be ${typescript}: which package brings another TypeScript?`
}

function builds(): Promise<string | undefined> {
  return tool('typescript/bin/tsc', '-b', '--pretty', 'false')
}

function testTypes(): Promise<string | undefined> {
  return tool('typescript/bin/tsc', '-p', 'tsconfig.test.json', '--pretty', 'false')
}

/** What a consumer's tools would find wrong with the tarballs. */
async function packageHygiene(): Promise<string | undefined> {
  const unbuilt = await buildDeclarations()
  if (unbuilt !== undefined) return unbuilt
  const folder = mkdtempSync(join(tmpdir(), 'steelyard-check-'))
  try {
    const tarballs = await pack(publicPackages(), folder)
    const wrong: string[] = []
    for (const tarball of tarballs.values()) {
      const found = [
        await tool('publint/src/cli.js', '--strict', tarball),
        await tool('@arethetypeswrong/cli/dist/index.js', '--profile=esm-only', tarball),
      ]
      wrong.push(...found.filter((output) => output !== undefined))
    }
    return wrong.length === 0 ? undefined : wrong.join('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
