import type { Picker } from '@steelyard/core'
import { describe } from 'vitest'
import { affinityTests } from './picker-suite/affinity.ts'
import { contractTests } from './picker-suite/contract.ts'
import { costTests } from './picker-suite/cost.ts'
import { limitTests } from './picker-suite/limits.ts'
import { poolTests } from './picker-suite/pool.ts'
import type { PickerSuiteOptions } from './picker-suite/promises.ts'
import { shareTests } from './picker-suite/shares.ts'

/**
 * The conformance suite of balancing algorithms: a picker's test calls it once.
 *
 * @param makePicker - called for each test; random numbers come from the rig, seeded.
 */
export function pickerSuite(
  name: string,
  makePicker: () => Picker,
  options: PickerSuiteOptions,
): void {
  describe(`${name} conforms`, () => {
    contractTests(makePicker)
    if (options.evenness !== false) shareTests(makePicker, options, options.evenness ?? 0.01)
    limitTests(makePicker)
    poolTests(makePicker, options)
    if (options.affinity) affinityTests(makePicker, options.strayMoves ?? 0)
    costTests(makePicker)
  })
}
