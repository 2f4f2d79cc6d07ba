import { invalidOption, shown } from '@steelyard/core'
import type { ProxyPass } from './proxy-server.ts'

interface Step {
  readonly name: string
  readonly pass: ProxyPass | undefined
}

/** The steps of one kind of call, ours and those that were added. */
export interface PassList {
  /** The added steps, in order; the last of all is the exchange itself. */
  readonly added: readonly ProxyPass[]
  insert(anchor: string, pass: ProxyPass, behind: boolean): void
}

/** Makes a list of steps that have our names and nothing to do: what they stand for happens in the exchange. */
export function passList(...names: readonly string[]): PassList {
  const steps: Step[] = names.map((name) => ({ name, pass: undefined }))
  let added: readonly ProxyPass[] = []
  return {
    get added() {
      return added
    },
    insert(anchor, pass, behind) {
      const at = steps.findIndex(({ name }) => name === anchor)
      if (at < 0) {
        const known = steps.map(({ name }) => name).join(', ')
        throw invalidOption('passName', `${shown(anchor)} is none of ${known}`)
      }
      if (typeof pass !== 'function')
        throw invalidOption('pass', `${shown(pass)} is not a function`)
      if (behind && steps[at]!.name === 'stream') {
        throw invalidOption('passName', 'nothing comes behind stream')
      }
      steps.splice(behind ? at + 1 : at, 0, { name: pass.name, pass })
      added = steps.flatMap((step) => (step.pass === undefined ? [] : [step.pass]))
    },
  }
}
