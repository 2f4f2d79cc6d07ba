import { pickerRig, pickerSuite } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { leastConnections } from '../../src/index.ts'

pickerSuite('leastConnections', leastConnections, {
  weighted: false,
  affinity: false,
  evenness: 0.01,
})

describe('leastConnections', () => {
  it('takes the least loaded, equals in turn', () => {
    const rig = pickerRig(leastConnections(), [
      { id: 'a' },
      { id: 'b', weight: 100 },
      { id: 'c' },
      { id: 'd' },
    ])
    const open = (id: string): void => rig.load.open(rig.slotOf(id))
    expect([rig.pick(), rig.pick(), rig.pick(), rig.pick(), rig.pick()].join(' ')).toBe('a b c d a')
    open('b')
    open('c')
    expect([rig.pick(), rig.pick(), rig.pick(), rig.pick()].join(' ')).toBe('d a d a')
    open('a')
    open('a')
    open('d')
    expect([rig.pick(), rig.pick(), rig.pick(), rig.pick()].join(' ')).toBe('b c d b')
    expect(rig.walk()).toEqual(['c', 'd', 'b', 'a'])
  })

  it('counts connections of other workers, which share the load table', () => {
    const rig = pickerRig(leastConnections(), [{ id: 'a' }, { id: 'b' }])
    Atomics.add(rig.load.active, rig.slotOf('a'), 5)
    expect([rig.pick(), rig.pick()]).toEqual(['b', 'b'])
  })
})
