import { pickerRig, pickerSuite } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { first } from '../../src/index.ts'

pickerSuite('first', first, { weighted: false, affinity: false, evenness: false })

describe('first', () => {
  it('fills one member after the other, in order of id, whatever the weights', () => {
    const rig = pickerRig(first(), [
      { id: 'c', limit: 9, weight: 50 },
      { id: 'a', limit: 2 },
      { id: 'b', limit: 1 },
    ])
    const picked: (string | undefined)[] = []
    for (let i = 0; i < 5; i++) {
      picked.push(rig.pick())
      rig.load.open(rig.slotOf(picked[i]!))
    }
    expect(picked.join(' ')).toBe('a a b c c')
    rig.load.close(rig.slotOf('a'))
    expect(rig.walk()).toEqual(['a', 'c'])
  })
})
