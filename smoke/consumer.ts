import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { type PublicPackage, pack, publicPackages } from '../scripts/packing/packages.ts'
import { captureChild } from '../scripts/setup/child.mjs'

/** A stranger's project, in an empty folder outside the repository, with the packed packages installed. */
export interface Consumer extends Disposable {
  readonly folder: string
  readonly packages: readonly PublicPackage[]
  write(name: string, text: string): void
  /** Runs Node there, without anything of ours in the environment. `node`: which one. Default: the one that runs. */
  node(
    args: readonly string[],
    node?: string,
  ): Promise<{ readonly code: number; readonly output: string }>
}

export async function consumer(): Promise<Consumer> {
  const folder = mkdtempSync(join(tmpdir(), 'steelyard-consumer-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const packages = publicPackages()
    const tarballs = await pack(packages, folder)
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({
        name: 'stranger',
        private: true,
        type: 'module',
        dependencies: Object.fromEntries(
          [...tarballs].map(([name, tarball]) => [name, `file:${tarball}`]),
        ),
        devDependencies: { '@types/node': versionHere('@types/node') },
      }),
    )
    const { code, output } = await captureChild(
      'npm',
      ['install', '--ignore-scripts', '--prefer-offline', '--loglevel=error', '--no-progress'],
      { cwd: folder, env: cleanEnvironment(folder) },
    )
    if (code !== 0) throw new Error(`the tarballs do not install:\n${output}`)
    return {
      folder,
      packages,
      write: (name, text) => writeFileSync(join(folder, name), text),
      node: (args, node = process.execPath) =>
        captureChild(node, args, { cwd: folder, env: cleanEnvironment(folder) }),
      [Symbol.dispose]: remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}

function versionHere(name: string): string {
  const file = join('node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** No option of an outer npm, no tool of the repository. */
function cleanEnvironment(folder: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:npm_|NODE_|VITEST|INIT_CWD)/i.test(name),
  )
  const own = resolve('node_modules')
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((entry) => !entry.startsWith(own))
  return {
    ...Object.fromEntries(kept),
    PATH: [dirname(process.execPath), ...path].join(delimiter),
    PWD: folder,
  }
}
