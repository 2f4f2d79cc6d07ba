import { captureChild } from '../setup/child.mjs'
import { publicPackages } from './packages.ts'

/** Writes the declarations of the public packages. Gives what the compiler says against it, or nothing. */
export async function buildDeclarations(): Promise<string | undefined> {
  const folders = publicPackages().map(({ folder }) => folder)
  const { code, output } = await captureChild(process.execPath, [
    'node_modules/typescript/bin/tsc',
    '-b',
    ...folders,
  ])
  return code === 0 ? undefined : `the declarations cannot be built:\n${output}`
}
