import { describe, expect, it } from 'vitest'
import { Bed, createOurs, loadTheirs, notInstalled } from './bed.ts'
import { differences, scenarios } from './scenarios.ts'

const theirs = await loadTheirs()
if (theirs === undefined) console.warn(notInstalled)

describe('the interface of http-proxy', () => {
  for (const { name, run, expected } of scenarios) {
    it(`ours: ${name}`, async () => {
      await using bed = new Bed()
      expect(await run(createOurs, bed)).toEqual(expected)
    })
  }
})

describe('http-proxy 1.18.1 beside it', () => {
  for (const { name, run, expected } of scenarios) {
    const difference = differences[name]
    it(`${difference === undefined ? 'the same' : 'other'}: ${name}`, async (context) => {
      context.skip(theirs === undefined, notInstalled)
      await using bed = new Bed()
      expect(await run(theirs!, bed)).toEqual(
        difference === undefined ? expected : difference.theirs,
      )
    })
  }

  it('has a scenario for each difference, and a reason', () => {
    const names = scenarios.map(({ name }) => name)
    for (const [name, { why }] of Object.entries(differences)) {
      expect(names).toContain(name)
      expect(why).toMatch(/\.$/)
    }
  })
})
