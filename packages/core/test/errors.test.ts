import { describe, expect, it } from 'vitest'
import { invalidOption, isSteelyardError, SteelyardError } from '../src/index.ts'

describe('errors', () => {
  it('carry code, source, retryable, cause and path', () => {
    const cause = new Error('below')
    const error = new SteelyardError('no way', {
      code: 'x-y',
      source: 'backend',
      retryable: true,
      path: 'a.b',
      cause,
    })
    expect(error).toMatchObject({
      code: 'x-y',
      source: 'backend',
      retryable: true,
      path: 'a.b',
      cause,
    })
    expect([error.message, error.name]).toEqual(['a.b: no way', 'SteelyardError'])
    const plain = new SteelyardError('no', { code: 'z', source: 'peer' })
    expect([plain.message, plain.retryable, plain.path, 'cause' in plain]).toEqual([
      'no',
      false,
      undefined,
      false,
    ])
  })

  it('are known by their mark, across copies of the package', () => {
    const foreign = Object.assign(new Error('x'), { isSteelyardError: true, code: 'c' })
    expect(isSteelyardError(foreign)).toBe(true)
    expect(isSteelyardError(foreign, 'c')).toBe(true)
    expect(isSteelyardError(foreign, 'd')).toBe(false)
    for (const other of [null, undefined, 'x', 1, {}, new Error('x')]) {
      expect(isSteelyardError(other)).toBe(false)
    }
  })

  it('name the option that is wrong', () => {
    const error = invalidOption('pool.weight', '-1 is not a weight')
    expect(error).toMatchObject({ code: 'invalid-option', source: 'config', path: 'pool.weight' })
    expect(error.message).toBe('pool.weight: -1 is not a weight')
  })
})
