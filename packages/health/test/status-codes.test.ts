import { describe, expect, it } from 'vitest'
import { type StatusCodes, statusCodes } from '../src/checkers/status-codes.ts'

describe('status codes', () => {
  it.each<[StatusCodes, number[], number[]]>([
    [200, [200], [199, 201]],
    ['200', [200], [204]],
    ['200-399', [200, 299, 399], [199, 400]],
    ['200,204, 300-302', [200, 204, 300, 301, 302], [201, 303]],
    [[200, '500-599'], [200, 500, 599], [404]],
  ])('%j', (codes, well, unwell) => {
    const test = statusCodes(codes, 'x')
    expect(well.filter((status) => !test(status))).toEqual([])
    expect(unwell.filter(test)).toEqual([])
    expect([0, 99, 600, 1000].filter(test)).toEqual([])
  })

  it.each<[StatusCodes]>([[99], [600], ['2xx'], ['300-200'], [''], [[]], ['200,']])(
    'refuses %j',
    (codes) => {
      expect(() => statusCodes(codes, 'httpCheck.expect')).toThrow('httpCheck.expect: ')
    },
  )
})
