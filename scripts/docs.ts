// `npm run docs`: the API site in docs/site, with warnings as errors, and no export without a word on it.
import { readFileSync } from 'node:fs'
import { buildDeclarations } from './packing/declarations.ts'
import { runChild } from './setup/child.mjs'

/** A part of typedoc's description of the packages, as far as it matters here. */
interface Reflection {
  readonly name: string
  readonly kind: number
  readonly comment?: { readonly summary: readonly unknown[] }
  readonly signatures?: readonly Reflection[]
  readonly children?: readonly Reflection[]
}

/** typedoc's numbers for two kinds of reflection. */
const kinds = { module: 2, function: 64 }

// Packages see each other by their declarations.
const wrong = await buildDeclarations()
if (wrong === undefined) await document()
else fail(wrong)

async function document(): Promise<void> {
  const { code } = await runChild(process.execPath, ['node_modules/typedoc/bin/typedoc'], {
    cwd: 'docs',
    env: process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: '1' },
  })
  if (code !== 0) return fail('the API site was not built')
  const project = JSON.parse(readFileSync('docs/site/api.json', 'utf8')) as Reflection
  for (const { path, module } of modulesOf(project, [])) {
    for (const { name } of (module.children ?? []).filter(isUndocumentedFunction)) {
      fail(`${[...path, name].join('.')} has no documentation`)
    }
  }
}

function fail(problem: string): void {
  console.error(problem)
  process.exitCode = 1
}

function* modulesOf(
  module: Reflection,
  path: readonly string[],
): Generator<{ path: readonly string[]; module: Reflection }> {
  yield { path, module }
  for (const child of module.children ?? []) {
    if (child.kind === kinds.module) yield* modulesOf(child, [...path, child.name])
  }
}

function isUndocumentedFunction({ kind, signatures = [] }: Reflection): boolean {
  return kind === kinds.function && signatures.some(({ comment }) => comment === undefined)
}
