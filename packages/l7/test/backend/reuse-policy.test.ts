import { expect, it } from 'vitest'
import { mayReuse, type Reuse } from '../../src/backend/reuse-policy.ts'

const table: Readonly<Record<'never' | 'safe' | 'aggressive' | 'always', readonly Reuse[]>> = {
  // first and not idempotent, first and idempotent, later and not idempotent, later and idempotent
  never: ['none', 'none', 'none', 'none'],
  safe: ['none', 'any', 'any', 'any'],
  aggressive: ['proven', 'any', 'any', 'any'],
  always: ['any', 'any', 'any', 'any'],
}

it('decides as the policies say', () => {
  for (const policy of ['never', 'safe', 'aggressive', 'always'] as const) {
    const decided = [true, false].flatMap((firstOfClient) =>
      [false, true].map((idempotent) => mayReuse(policy, { firstOfClient, idempotent })),
    )
    expect([policy, decided]).toEqual([policy, table[policy]])
  }
})

it('goes on a new connection after a lost race', () => {
  expect(mayReuse('always', { firstOfClient: false, idempotent: true, raced: true })).toBe('none')
})
