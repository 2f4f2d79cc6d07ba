import { colours } from '../cli/colours.ts'
import type { Quarantined } from '../desired/inspection.ts'

/** What is left out of a document, one line each, with a line break at the end. */
export function formatQuarantined(quarantined: readonly Quarantined[], colour: boolean): string {
  const paint = colours(colour)
  return quarantined
    .map(({ kind, name, line, reason, kept }) => {
      const fate = kept ? 'runs on in its earlier form' : 'left out'
      return `${paint.bad('!')} ${kind.replace('-', ' ')} ${name} (line ${line}) ${fate}: ${reason}\n`
    })
    .join('')
}
