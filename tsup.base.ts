import { defineConfig } from 'tsup'

type Config = ReturnType<typeof defineConfig>

/** One build for all packages: ESM for Node 22.19 and later; `tsc -b` writes the declarations. */
export function library(...entry: string[]): Config {
  return defineConfig({
    entry,
    format: 'esm',
    target: 'node22',
    platform: 'node',
    sourcemap: true,
    dts: false,
    // Only what tsup wrote: chunks have a hash in their name, and old ones would be published for ever.
    clean: ['!**/*.d.ts', '!**/*.d.ts.map'],
    silent: true,
  })
}
