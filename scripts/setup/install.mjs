import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { captureChild } from './child.mjs'
import { Problem, say, step } from './messages.mjs'

/** @typedef {'dependencies' | 'devDependencies' | 'optionalDependencies' | 'peerDependencies'} Kind */
/**
 * One entry of a lockfile, as far as it matters here.
 *
 * @typedef {{ version?: string, integrity?: string, optional?: boolean,
 *   os?: readonly string[], cpu?: readonly string[] } & { [K in Kind]?: Record<string, string> }} LockEntry
 */
/** @typedef {Readonly<Record<string, LockEntry>>} LockEntries */

/**
 * Makes `node_modules` what the lockfile says, and does nothing when it is.
 *
 * @param {string} root
 */
export async function install(root) {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8')
  const stampFile = join(root, 'node_modules', '.steelyard-install')
  // A folder that is shared with another system has that system's binaries.
  const stamp = createHash('sha256')
    .update(`${process.platform} ${process.arch}\n${text}`)
    .digest('hex')
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  const { packages } = JSON.parse(text)
  const first = !existsSync(join(root, 'node_modules'))
  if (first || !isInstalled(root, packages)) {
    checkManifests(root, packages)
    const why = first ? 'first run' : 'they are not what the lockfile says'
    await step(`installing dependencies (${why})`, () => npmInstall(root))
  }
  writeFileSync(stampFile, stamp)
}

/**
 * Somebody may have installed by hand: npm's own record then says the same as the lockfile.
 *
 * @param {string} root
 * @param {LockEntries} locked
 */
export function isInstalled(root, locked) {
  const file = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(file)) return false
  /** @type {LockEntries} */
  const present = JSON.parse(readFileSync(file, 'utf8')).packages
  const paths = new Set([...Object.keys(locked), ...Object.keys(present)])
  return [...paths]
    .filter((path) => path.includes('node_modules/'))
    .every((path) => {
      const [wanted, here] = [locked[path], present[path]]
      if (wanted === undefined) return false
      if (here === undefined) return wanted.optional === true
      return fitsHere(here) && same(here, wanted)
    })
}

/**
 * @param {LockEntry} a
 * @param {LockEntry} b
 */
function same(a, b) {
  return a.version === b.version && a.integrity === b.integrity
}

/** @param {LockEntry} entry */
function fitsHere({ os, cpu }) {
  return (
    (os === undefined || os.includes(process.platform)) &&
    (cpu === undefined || cpu.includes(process.arch))
  )
}

/**
 * The check that `npm ci` makes, without the part that fails for binaries of other platforms (see below).
 *
 * @param {string} root
 * @param {LockEntries} locked
 */
export function checkManifests(root, locked) {
  /** @type {readonly Kind[]} */
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']
  for (const [path, entry] of Object.entries(locked)) {
    const file = join(root, path, 'package.json')
    if (path.includes('node_modules/') || !existsSync(file)) continue
    const manifest = JSON.parse(readFileSync(file, 'utf8'))
    for (const kind of kinds) {
      const [said, known] = [manifest[kind] ?? {}, entry[kind] ?? {}]
      const names = new Set([...Object.keys(said), ...Object.keys(known)])
      const differing = [...names].find((name) => said[name] !== known[name])
      if (differing === undefined) continue
      throw new Problem(
        `package-lock.json does not know "${differing}" as ${join(path, 'package.json')} wants it; ` +
          'run "npm install", and commit the lockfile',
      )
    }
  }
}

/** @param {string} root */
async function npmInstall(root) {
  // Not `npm ci`: it refuses a lockfile that lacks an optional binary of any platform, here needed or not,
  // and registries that mirror another one often lack some. With `--no-save` the lockfile decides all the same.
  // No install script is needed: `esbuild` and the like find their binary in a platform package.
  const args = ['install', '--no-save', '--ignore-scripts', '--include=dev', '--include=optional']
  const quiet = ['--loglevel=error', '--no-audit', '--no-fund', '--no-progress', '--prefer-offline']
  // npm's own patience with a registry that does not answer is many minutes.
  const retry = [
    '--fetch-retries=1',
    '--fetch-retry-mintimeout=500',
    '--fetch-retry-maxtimeout=500',
  ]
  const { command, first } = npm(root)
  const { code, output } = await captureChild(command, [...first, ...args, ...quiet, ...retry], {
    cwd: root,
    env: npmEnvironment(root),
  })
  if (code === 0) return
  say(output.trim())
  const offline = /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|ENOTCACHED/
  if (offline.test(output)) {
    throw new Problem(
      'the package registry could not be reached; connect this machine (or set npm\'s "registry" or "proxy") and run the command again',
    )
  }
  throw new Problem(
    'npm could not install the dependencies, its message is above; mend that, or remove node_modules, and run the command again',
  )
}

/**
 * npm as a command, but never under the Node in `node_modules`, which npm may be about to replace.
 *
 * @param {string} root
 */
function npm(root) {
  const found = outsidePath(root).find((folder) => existsSync(join(folder, 'npm')))
  if (found !== undefined) return { command: join(found, 'npm'), first: [] }
  const cli = process.env['npm_execpath']
  if (cli !== undefined && existsSync(cli)) return { command: process.execPath, first: [cli] }
  throw new Problem(
    'npm was not found; install Node.js together with npm and run the command again',
  )
}

/** @param {string} root */
function outsidePath(root) {
  const own = join(root, 'node_modules')
  return (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.startsWith(own))
}

/**
 * Without what an outer `npm run` left there: its workspace, prefix and verbosity are not for us.
 *
 * @param {string} root
 */
function npmEnvironment(root) {
  const kept =
    /^npm_config_(?:registry|userconfig|globalconfig|cache|proxy|https_proxy|noproxy|cafile|offline)$/i
  const entries = Object.entries(process.env).filter(
    ([name]) => !/^npm_/i.test(name) || kept.test(name),
  )
  const path = outsidePath(root)
  const here = dirname(process.execPath)
  if (!here.startsWith(join(root, 'node_modules'))) path.push(here)
  return { ...Object.fromEntries(entries), PATH: path.join(delimiter) }
}
