/** Something the person at the keyboard can mend; the message says how. */
export class Problem extends Error {
  /**
   * @param {string} message
   * @param {number} [exitCode]
   */
  constructor(message, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/**
 * One line of progress, on standard error: what a task prints on standard output stays its own.
 *
 * @param {string} text
 */
export function say(text) {
  process.stderr.write(`steelyard: ${text}\n`)
}

/**
 * Says what begins, and when it took a while also that it is done.
 *
 * @template T
 * @param {string} text
 * @param {() => Promise<T>} work
 */
export async function step(text, work) {
  say(`${text} …`)
  const begun = performance.now()
  const result = await work()
  const seconds = (performance.now() - begun) / 1000
  if (seconds > 2) say(`${text}: done in ${seconds.toFixed(1)} s`)
  return result
}
