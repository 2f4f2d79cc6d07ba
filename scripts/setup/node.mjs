import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Problem } from './messages.mjs'

/** What the packages need; the repository's own Node is newer. */
const minimum = { major: 22, minor: 19 }

/**
 * The Node that builds and runs everything here: the one that npm brought as a platform package, else
 * the one that runs now, if it is recent enough.
 *
 * @param {string} root
 * @param {{ platform?: string, version?: string }} [host] - for tests.
 */
export function ownNode(root, host = {}) {
  const platform = host.platform ?? `${process.platform}-${process.arch}`
  for (const name of [`node-${platform}`, `node-bin-${platform}`]) {
    const file = join(root, 'node_modules', name, 'bin', 'node')
    // It may be there and still not run, for instance on a system without glibc.
    if (existsSync(file) && spawnSync(file, ['--version']).status === 0) return file
  }
  const version = host.version ?? process.versions.node
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > minimum.major || (major === minimum.major && minor >= minimum.minor)) {
    return process.execPath
  }
  throw new Problem(
    `no Node.js for ${platform} comes with the repository, and the one in use is ${version}; ` +
      `install Node.js ${minimum.major}.${minimum.minor} or later and run the command again`,
  )
}
