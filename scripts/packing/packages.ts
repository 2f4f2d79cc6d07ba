import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { captureChild } from '../setup/child.mjs'

/** A package that is published. */
export interface PublicPackage {
  readonly name: string
  readonly version: string
  /** Its folder, from the root of the repository. */
  readonly folder: string
  /** What may be imported, such as `@steelyard/core` and `@steelyard/core/ip`. */
  readonly entries: readonly string[]
}

interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly exports: Readonly<Record<string, unknown>>
}

/** The packages that are published: those in `packages/` that are not private. */
export function publicPackages(): PublicPackage[] {
  return globSync('packages/*/package.json')
    .sort()
    .map((file) => ({ file, manifest: JSON.parse(readFileSync(file, 'utf8')) as Manifest }))
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ file, manifest: { name, version, exports } }) => ({
      name,
      version,
      folder: dirname(file),
      entries: Object.keys(exports)
        .filter((entry) => entry !== './package.json')
        .map((entry) => name + entry.slice(1)),
    }))
}

/** Packs the packages as they would be published; gives the tarball of each by name. */
export async function pack(
  packages: readonly PublicPackage[],
  folder: string,
): Promise<ReadonlyMap<string, string>> {
  const workspaces = packages.map(({ name }) => `--workspace=${name}`)
  const { code, output } = await captureChild('npm', [
    'pack',
    '--ignore-scripts',
    '--loglevel=error',
    `--pack-destination=${folder}`,
    ...workspaces,
  ])
  if (code !== 0) throw new Error(`npm pack failed:\n${output}`)
  return new Map(
    packages.map(({ name, version }) => [
      name,
      join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`),
    ]),
  )
}
