import { describe, expect, it } from 'vitest'
import { fieldIdOf, fieldNames } from '../../src/wire/field.ts'
import { defaultHeadLimits } from '../../src/wire/limits.ts'
import { tokenOctet } from '../../src/wire/octet-class.ts'
import { RequestParser } from '../../src/wire/request-parser.ts'
import { bytesOf } from './wire-text.ts'

const colon = 0x3a

/** The first line's field number, or the parser's state when that is not `complete`. */
function read(parser: RequestParser, bytes: Uint8Array, step: number): number | string {
  parser.next()
  for (let at = 0; at < bytes.length && parser.state !== 'failed'; at += step) {
    parser.feed(bytes, at, Math.min(bytes.length, at + step))
  }
  return parser.state === 'complete' ? parser.head.ids[0]! : parser.state
}

describe('names that are known without a look at each byte', () => {
  it('are no names with one byte changed', () => {
    const parser = new RequestParser(defaultHeadLimits)
    const start = 'GET / HTTP/1.1\r\n'
    const wrong: string[] = []
    for (const name of fieldNames.slice(1)) {
      const message = bytesOf(`${start}${name}: value\r\n\r\n`)
      for (let i = 0; i < name.length; i++) {
        const at = start.length + i
        for (let byte = 0; byte < 256; byte++) {
          const bytes = new Uint8Array(message)
          bytes[at] = byte
          const shorter = byte === colon && i > 0
          const changed =
            name.slice(0, i) + (shorter ? '' : String.fromCharCode(byte) + name.slice(i + 1))
          const good = shorter || tokenOctet[byte] === 1
          const expected = good ? fieldIdOf(changed.toLowerCase()) : 'failed'
          if (read(parser, bytes, bytes.length) !== expected) wrong.push(`${name}, ${i}: ${byte}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it('are found wherever the range ends', () => {
    const parser = new RequestParser(defaultHeadLimits)
    for (const name of fieldNames.slice(1)) {
      const bytes = bytesOf(`GET / HTTP/1.1\r\n${name}:v\r\n\r\n`)
      for (let step = 1; step <= bytes.length; step++) {
        expect(read(parser, bytes, step)).toBe(fieldIdOf(name))
      }
    }
  })

  it('end a value at every byte that none may hold, wherever it stands', () => {
    const parser = new RequestParser(defaultHeadLimits)
    const start = 'GET / HTTP/1.1\r\naccept: '
    const wrong: string[] = []
    for (let before = 0; before < 9; before++) {
      for (let byte = 0; byte < 256; byte++) {
        const text = `${start}${'v'.repeat(before)}${String.fromCharCode(byte)}wxyz\r\n\r\n`
        const good = byte === 0x09 || (byte >= 0x20 && byte !== 0x7f)
        const found = read(parser, bytesOf(text), text.length)
        if (found !== (good ? fieldIdOf('accept') : 'failed')) wrong.push(`${before}: ${byte}`)
      }
    }
    expect(wrong).toEqual([])
  })
})
