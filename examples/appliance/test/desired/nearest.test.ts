import { describe, expect, it } from 'vitest'
import { editDistance, nearest } from '../../src/desired/nearest.ts'

describe('nearest', () => {
  const names = ['algorithm', 'members', 'health', 'persistence', 'connectionLimit']

  it.each([
    ['algoritm', 'algorithm'],
    ['algorihtm', 'algorithm'],
    ['memebrs', 'members'],
    ['connectionlimit', 'connectionLimit'],
    ['healthh', 'health'],
  ])('finds what %s means', (word, meant) => {
    expect(nearest(word, names)).toBe(meant)
  })

  it.each(['x', 'frobnicate', '', 'a'.repeat(100_000)])('finds nothing near others', (word) => {
    expect(nearest(word, names)).toBeUndefined()
  })

  it('counts a swap of neighbours as one edit', () => {
    expect(editDistance('form', 'from')).toBe(1)
    expect(editDistance('kitten', 'sitting')).toBe(3)
    expect(editDistance('', 'abc')).toBe(3)
  })
})
