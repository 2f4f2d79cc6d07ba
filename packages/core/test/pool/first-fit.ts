import { type Picker, picker, type Verdict } from '../../src/index.ts'

/** The first member by id that admits one more: what a pool does shows through it. */
export const firstFit: Picker = picker('first-fit', (roster, _key, tried) => {
  for (let i = 0; i < roster.size; i++) if (roster.admits(i, tried)) return roster.slots[i]!
  return -1
})

/** The member that the key says, whether it has room or not. */
export const byKey: Picker = picker(
  'by-key',
  (roster, key, tried) => {
    for (let i = 0; i < roster.size; i++) {
      const index = (key + i) % roster.size
      if (roster.admits(index, tried)) return roster.slots[index]!
    }
    return -1
  },
  'source',
)

export const up: Verdict = { state: 'up', since: 0, reason: 'it answers' }
export const down: Verdict = { state: 'down', since: 0, reason: 'it is silent' }
export const unknown: Verdict = { state: 'unknown', since: 0, reason: 'nobody asked' }
