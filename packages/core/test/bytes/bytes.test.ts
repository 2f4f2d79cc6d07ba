import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter, DecodeError } from '../../src/bytes/index.ts'
import { isSteelyardError } from '../../src/index.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('byte reader', () => {
  it('reads big-endian fields, and views rather than copies', () => {
    const bytes = Uint8Array.from(Buffer.from('01020304050607080910111213141516171819ff', 'hex'))
    const reader = new ByteReader(bytes)
    expect(reader.u8('a')).toBe(0x01)
    expect(reader.u16('b')).toBe(0x0203)
    expect(reader.u24('c')).toBe(0x040506)
    expect(reader.u32('d')).toBe(0x07080910)
    expect(reader.u64('e')).toBe(0x1112131415161718n)
    expect([reader.offset, reader.remaining]).toEqual([18, 2])
    const view = reader.rest()
    expect(hex(view)).toBe('19ff')
    expect(view.buffer).toBe(bytes.buffer)
    expect(reader.bytes(0, 'nothing')).toHaveLength(0)
    expect(new ByteReader(Uint8Array.from([0xff, 0xff, 0xff])).u24('high')).toBe(0xffffff)
    expect(new ByteReader(Uint8Array.from([0xff, 0xff, 0xff, 0xff])).u32('high')).toBe(0xffffffff)
  })

  it('reads within its view of a larger buffer only', () => {
    const whole = Uint8Array.from([9, 1, 2, 9])
    const reader = new ByteReader(whole.subarray(1, 3))
    expect(reader.u16('x')).toBe(0x0102)
    expect(() => reader.u8('y')).toThrow(DecodeError)
  })

  it('says which field at which byte of the whole message is cut off', () => {
    const reader = new ByteReader(Uint8Array.from([1, 2, 3, 4, 5]), 100)
    reader.u16('head')
    const inner = reader.nested(2, 'inner')
    inner.u8('first')
    expect(() => inner.u16('second')).toThrow(
      expect.objectContaining({
        name: 'DecodeError',
        code: 'decode',
        source: 'peer',
        offset: 103,
        field: 'second',
        message: 'second at byte 103: needs 2 bytes, 1 are left',
      }),
    )
    // A field that was refused was not read.
    expect(inner.u8('second')).toBe(4)
    expect([inner.remaining, reader.remaining]).toEqual([0, 1])
    expect(reader.error('is odd', 'tail')).toMatchObject({ offset: 104, field: 'tail' })
    expect(isSteelyardError(reader.error('x', 'y'), 'decode')).toBe(true)
  })

  it('does not walk backwards for a length that came out negative', () => {
    for (const length of [-1, -0x10000, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      const reader = new ByteReader(Uint8Array.from([1, 2, 3]))
      reader.u8('first')
      expect(() => reader.bytes(length, 'body')).toThrow(DecodeError)
      expect(() => reader.nested(length, 'body')).toThrow(DecodeError)
      expect(reader.offset).toBe(1)
    }
  })

  it('throws DecodeError and nothing else, and never leaves its bounds, whatever is asked', () => {
    const ask = fc.oneof(
      fc.constantFrom('u8', 'u16', 'u24', 'u32', 'u64', 'rest').map((name) => [name, 0] as const),
      fc.tuple(fc.constantFrom('bytes', 'nested'), fc.integer({ min: -3, max: 12 })),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), fc.array(ask), (bytes, asks) => {
        const reader = new ByteReader(bytes)
        for (const [name, length] of asks) {
          const before = reader.offset
          try {
            if (name === 'rest') reader.rest()
            else if (name === 'bytes') expect(reader.bytes(length, 'x')).toHaveLength(length)
            else if (name === 'nested') expect(reader.nested(length, 'x').remaining).toBe(length)
            else reader[name as 'u8'](name)
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError)
            expect(reader.offset).toBe(before)
          }
          expect(reader.offset).toBeGreaterThanOrEqual(before)
          expect(reader.offset + reader.remaining).toBe(bytes.length)
        }
      }),
    )
  })
})

describe('byte writer', () => {
  it('writes big-endian fields, growing from nothing', () => {
    const writer = new ByteWriter(0)
    writer.u8(1).u16(0x0203).u24(0x040506).u32(0xfffefdfc).u64(0x0102030405060708n)
    writer.bytes(Uint8Array.from([9, 9]))
    expect(writer.length).toBe(20)
    expect(hex(writer.finish())).toBe('010203040506fffefdfc01020304050607080909')
  })

  it('gives bytes that later writes do not touch', () => {
    const writer = new ByteWriter()
    const first = writer.u16(1).finish()
    writer.patchU16(0, 0xffff).u8(7)
    expect([hex(first), hex(writer.finish())]).toEqual(['0001', 'ffff07'])
  })

  it('patches only what was written', () => {
    const writer = new ByteWriter().u32(0).u8(5)
    writer.patchU16(2, 0x0a0b).patchU32(1, 0x01020304)
    expect(hex(writer.finish())).toBe('0001020304')
    for (const offset of [-1, 4, 5, Number.NaN]) {
      expect(() => writer.patchU16(offset, 1)).toThrow(RangeError)
    }
    for (const offset of [-1, 2, 5]) expect(() => writer.patchU32(offset, 1)).toThrow(RangeError)
    expect(hex(writer.finish())).toBe('0001020304')
  })

  it('refuses a value that its field cannot hold, and writes nothing of it', () => {
    const writer = new ByteWriter()
    for (const [write, most] of [
      [(v: number) => writer.u8(v), 0xff],
      [(v: number) => writer.u16(v), 0xffff],
      [(v: number) => writer.u24(v), 0xffffff],
      [(v: number) => writer.u32(v), 0xffffffff],
    ] as const) {
      for (const value of [-1, most + 1, 0.5, Number.NaN]) {
        expect(() => write(value)).toThrow(RangeError)
      }
    }
    expect(() => writer.u64(-1n)).toThrow(RangeError)
    expect(() => writer.u64(1n << 64n)).toThrow(RangeError)
    expect(writer.length).toBe(0)
    writer.u16(0)
    expect(() => writer.patchU16(0, 0x10000)).toThrow(RangeError)
    expect(hex(writer.finish())).toBe('0000')
  })

  it('writes what the reader reads', () => {
    const field = fc.oneof(
      fc.nat(0xff).map((v) => ['u8', v] as const),
      fc.nat(0xffff).map((v) => ['u16', v] as const),
      fc.nat(0xffffff).map((v) => ['u24', v] as const),
      fc.integer({ min: 0, max: 0xffffffff }).map((v) => ['u32', v] as const),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((v) => ['u64', v] as const),
      fc.uint8Array({ maxLength: 40 }).map((v) => ['bytes', v] as const),
    )
    fc.assert(
      fc.property(fc.array(field, { maxLength: 40 }), fc.nat(8), (fields, capacity) => {
        const writer = new ByteWriter(capacity)
        for (const [name, value] of fields) {
          if (name === 'bytes') writer.bytes(value)
          else if (name === 'u64') writer.u64(value)
          else writer[name](value)
        }
        const reader = new ByteReader(writer.finish())
        for (const [name, value] of fields) {
          if (name === 'bytes') expect(hex(reader.bytes(value.length, name))).toBe(hex(value))
          else expect(reader[name](name)).toBe(value)
        }
        expect(reader.remaining).toBe(0)
      }),
    )
  })
})
