import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Problem, say } from './messages.mjs'

const heartbeatMs = 2_000
/** A holder whose heart has not beaten for so long is gone. */
const staleMs = 30_000

/**
 * Runs `work` while no other run on this folder does: they wait for each other, and survive each other's death.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {{ patienceMs?: number }} [options] - how long to wait for another run. Default 15 minutes.
 * @returns {Promise<T>}
 */
export async function withLock(file, work, { patienceMs = 15 * 60_000 } = {}) {
  const token = `${process.pid} ${hostname()} ${Math.random().toString(36).slice(2)}\n`
  mkdirSync(dirname(file), { recursive: true })
  await acquire(file, token, patienceMs)
  const heart = setInterval(() => beat(file, token), heartbeatMs)
  heart.unref()
  try {
    return await work()
  } finally {
    clearInterval(heart)
    if (read(file) === token) rmSync(file, { force: true })
  }
}

/**
 * @param {string} file
 * @param {string} token
 * @param {number} patienceMs
 */
async function acquire(file, token, patienceMs) {
  const begun = performance.now()
  for (let told = false; ; ) {
    if (create(file, token)) {
      // Somebody who judged the last holder dead may be moving our file away right now: look again.
      await sleep(50)
      if (read(file) === token) return
    }
    const holder = read(file)
    if (holder === undefined) continue
    if (isStale(file, holder)) {
      remove(file, holder)
      continue
    }
    const [pid] = holder.split(' ')
    if (!told) say(`another run (process ${pid}) is preparing this folder; waiting for it …`)
    told = true
    if (performance.now() - begun > patienceMs) {
      throw new Problem(`process ${pid} holds ${file} for too long; end it, or remove the file`)
    }
    await sleep(200)
  }
}

/**
 * @param {string} file
 * @param {string} token
 */
function create(file, token) {
  try {
    writeFileSync(file, token, { flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** @param {string} file */
function read(file) {
  return unlessGone(() => readFileSync(file, 'utf8'))
}

/**
 * @param {string} file
 * @param {string} holder
 */
function isStale(file, holder) {
  const changed = unlessGone(() => statSync(file).mtimeMs)
  if (changed === undefined) return false
  if (Date.now() - changed > staleMs) return true
  const [pid, host] = holder.split(' ')
  // A file that is still being written has no whole token yet.
  return holder.endsWith('\n') && host === hostname() && !isAlive(Number(pid))
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/**
 * @param {string} file
 * @param {string} holder
 */
function remove(file, holder) {
  if (read(file) !== holder) return
  // Moved first, because only one of those who judged it dead can move it.
  const aside = `${file}.${process.pid}`
  unlessGone(() => renameSync(file, aside))
  rmSync(aside, { force: true })
}

/**
 * @param {string} file
 * @param {string} token
 */
function beat(file, token) {
  if (read(file) !== token) return
  const now = new Date()
  unlessGone(() => utimesSync(file, now, now))
}

/**
 * @template T
 * @param {() => T} act
 */
function unlessGone(act) {
  try {
    return act()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
