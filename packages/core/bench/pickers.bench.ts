import { pickerRig, type RigMember, seededRandom } from '@steelyard/testing'
import { describe, test } from 'vitest'
import { type PickerName, pickerNamed, pickers, untried } from '../src/index.ts'

// Vitest reaches functions of other modules through getters; rendezvous and ring-hash, which call one
// for each member or lookup, are several times faster in a built package.

const perRun = 1000

const weightings: Readonly<Record<string, (index: number) => number>> = {
  equal: () => 1,
  'weights 1 to 5': (index) => 1 + (index % 5),
}

for (const members of [10, 1000]) {
  for (const [weighting, weightOf] of Object.entries(weightings)) {
    describe(`${perRun} picks among ${members}, ${weighting}`, () => {
      test('pickers', { timeout: 120_000 }, async ({ bench }) => {
        const names = Object.keys(pickers) as PickerName[]
        const runs = names.map((name) => bench(name, picking(name, members, weightOf)))
        await bench.compare(...runs, { time: 300, warmupTime: 100 })
      })
    })
  }
}

/** Picks and nothing else, among members with 5 to 14 open connections and room for more. */
function picking(name: PickerName, count: number, weightOf: (index: number) => number): () => void {
  const members: RigMember[] = Array.from({ length: count }, (_, index) => ({
    id: `10.0.${index >> 8}.${index & 255}:80`,
    weight: weightOf(index),
    limit: 100,
  }))
  const { selector, load, slotOf } = pickerRig(pickerNamed(name), members)
  const random = seededRandom(7)
  for (const { id } of members) {
    const slot = slotOf(id)
    for (let left = 5 + Math.floor(random() * 10); left > 0; left--) load.open(slot)
    selector.observe?.(slot, 1 + random())
  }
  const keys = Uint32Array.from({ length: perRun }, () => random() * 2 ** 32)
  const nobody = untried
  return () => {
    for (let i = 0; i < perRun; i++) selector.pick(keys[i]!, nobody)
  }
}
