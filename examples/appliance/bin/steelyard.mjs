#!/usr/bin/env node
// The command line: the built program, or in a clone that is not built yet the sources as they are.
// `node --conditions=@steelyard/source bin/steelyard.mjs` asks for the sources even when there is a build.
import { existsSync } from 'node:fs'
import module from 'node:module'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `steelyard needs Node 22.19 or later, and this is ${process.version}.\n` +
      'In a clone of the repository, "npm run steelyard -- …" uses the one that the repository brings along.',
  )
  process.exit(2)
}

const condition = '@steelyard/source'
const asked = process.execArgv.includes(`--conditions=${condition}`)
const built = new URL('../dist/main.js', import.meta.url)
const sources = new URL('../src/main.ts', import.meta.url)
const fromSources = asked || !existsSync(built)
if (fromSources && !asked) {
  // In this process and not in a child: signals, inherited sockets and the process id stay what they are.
  module.registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, condition] }),
  })
}
// Whoever reads our output may have enough of it, as "head" does.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})
const { main } = await import((fromSources ? sources : built).href)
process.exitCode = await main(process.argv.slice(2))
