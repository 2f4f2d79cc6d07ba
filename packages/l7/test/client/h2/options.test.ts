import { expect, test } from 'vitest'
import { type H2Options, h2Settings } from '../../../src/client/h2/h2-options.ts'
import { byName, responseFields } from '../../../src/client/h2/response-lines.ts'
import { responseHead } from './h2-lab.ts'

test('everything has a limit', () => {
  for (const value of Object.values(h2Settings())) expect(value).toBeGreaterThan(0)
})

test.each<readonly [keyof H2Options, unknown]>([
  ['maxConcurrentStreams', 0],
  ['maxConcurrentStreams', 1.5],
  ['maxStreams', -1],
  ['maxHeaderListPairs', '100'],
  ['maxHeaderListSize', '1MB of them'],
  ['maxHeaderListSize', 10],
  ['maxFrameSize', 1000],
  ['streamWindow', '32MiB'],
  ['settingsTimeout', 'soon'],
  ['stallTimeout', 0],
  ['abuseWindow', '10ms'],
])('%s: %j is refused with its path', (name, value) => {
  expect(() => h2Settings({ [name]: value }, 'listeners[0].h2')).toThrow(
    expect.objectContaining({ code: 'invalid-option', path: `listeners[0].h2.${name}` }),
  )
})

test('what is no object is refused', () => {
  expect(() => h2Settings(null as never)).toThrow(
    expect.objectContaining({ code: 'invalid-option', path: 'h2' }),
  )
})

test('fields by name, for versions of Node that take no lists, keep repeats and hostile names', () => {
  const fields = responseFields(
    responseHead(200, [
      ['set-cookie', 'a'],
      ['__proto__', 'x'],
      ['set-cookie', 'b'],
      ['constructor', 'y'],
      ['set-cookie', 'c'],
    ]),
    3,
    false,
  )
  expect(Object.entries(byName(fields))).toEqual([
    [':status', '200'],
    ['set-cookie', ['a', 'b', 'c']],
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['content-length', '3'],
  ])
})
