import { describe, expect, it } from 'vitest'
import { nearestName } from '../src/index.ts'

describe('nearest name', () => {
  const names = ['algorithm', 'members', 'health', 'persistence', 'connectionLimit', 'tcp', 'udp']

  it.each([
    ['algoritm', 'algorithm'],
    ['algorihtm', 'algorithm'],
    ['memebrs', 'members'],
    ['connection-limit', 'connectionLimit'],
    ['healthh', 'health'],
    ['persist', 'persistence'],
    ['tpc', 'tcp'],
  ])('finds what %s means', (word, meant) => {
    expect(nearestName(word, names)).toBe(meant)
  })

  it.each(['x', 'ftp1', 'frobnicate', '', 'a'.repeat(100_000)])(
    'finds nothing near others',
    (word) => {
      expect(nearestName(word, names)).toBeUndefined()
    },
  )
})
