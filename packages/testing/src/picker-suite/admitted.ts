import type { Tried } from '@steelyard/core'
import { expect } from 'vitest'
import type { PickerRig } from '../picker-rig.ts'

/** Somebody whom the roster admits was picked, or nobody because it admits nobody. */
export function expectAdmitted(
  { roster }: Pick<PickerRig, 'roster'>,
  slot: number,
  tried: Tried,
): void {
  const admitted: number[] = []
  roster.slots.forEach((candidate, index) => {
    if (roster.admits(index, tried)) admitted.push(candidate)
  })
  if (admitted.length === 0) expect(slot).toBe(-1)
  else expect(admitted).toContain(slot)
}
