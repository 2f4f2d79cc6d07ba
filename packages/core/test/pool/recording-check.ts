import type { HealthCheck, HealthSubject } from '../../src/index.ts'

/** A check that does what the test tells it, and notes how often it was attached. */
export interface RecordingCheck extends HealthCheck {
  readonly attached: number
  readonly detached: number
  /** The subject of the last attach. */
  readonly subject: HealthSubject
}

export function recordingCheck(onAttach?: (subject: HealthSubject) => void): RecordingCheck {
  let attached = 0
  let detached = 0
  let last: HealthSubject | undefined
  return {
    get attached() {
      return attached
    },
    get detached() {
      return detached
    },
    get subject() {
      return last!
    },
    attach(subject) {
      attached += 1
      last = subject
      onAttach?.(subject)
      return { [Symbol.dispose]: () => void (detached += 1) }
    },
  }
}
