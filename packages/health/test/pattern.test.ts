import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dialogue, script } from '../src/dialogue.ts'
import { contentMatcher, excerpt, payloadBytes, prefixMatcher } from '../src/pattern.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('payloads', () => {
  it('are text as UTF-8, hexadecimal with spaces or colons, or bytes', () => {
    expect([...payloadBytes('é\r\n', 'x')]).toEqual([0xc3, 0xa9, 13, 10])
    expect([...payloadBytes({ hex: '50 49:4e47' }, 'x')]).toEqual([0x50, 0x49, 0x4e, 0x47])
    expect([...payloadBytes(Uint8Array.of(1, 2), 'x')]).toEqual([1, 2])
  })

  it.each(['', '5', '5g', '0x50'])('refuse the hexadecimal "%s"', (hex) => {
    expect(() => payloadBytes({ hex }, 'send')).toThrow('send: ')
  })
})

describe('matchers', () => {
  it('tell a match from what may still come and from what can not', () => {
    const matcher = prefixMatcher('+PONG', 'x')
    expect(matcher.end(bytes(''))).toBe(-1)
    expect(matcher.end(bytes('+PO'))).toBe(-1)
    expect(matcher.end(bytes('+PONG\r\n'))).toBe(5)
    expect(matcher.end(bytes('-ERR'))).toBe(-2)
  })

  it('see each byte as one character on a stream, and UTF-8 in content', () => {
    expect(prefixMatcher({ regex: '\\x80\\xff' }, 'x').end(Uint8Array.of(1, 0x80, 0xff, 2))).toBe(3)
    expect(contentMatcher(/grün/, 'x').end(bytes('alles grün'))).toBeGreaterThan(0)
    expect(contentMatcher('grün', 'x').end(bytes('alles grün'))).toBe(11)
    expect(contentMatcher('rot', 'x').end(bytes('alles grün'))).toBe(-1)
  })

  it('do not remember, whatever the flags', () => {
    const matcher = prefixMatcher(/ok/gy, 'x')
    expect([matcher.end(bytes('ok')), matcher.end(bytes('ok'))]).toEqual([2, 2])
  })

  it('refuse what would match anything, and what is no expression', () => {
    expect(() => prefixMatcher('', 'expect')).toThrow('expect: is empty')
    expect(() => contentMatcher({ regex: '(' }, 'expectBody')).toThrow('expectBody: /(/ is no')
  })

  it("show a peer's bytes without control characters and bounded", () => {
    expect(excerpt(bytes('a\n\u001b[31m'))).toBe('"a\\n\\u001b[31m"')
    expect(excerpt(Uint8Array.of(0x7f, 0xff))).toBe('"\\x7f\\xff"')
    expect(excerpt(new Uint8Array(1000)).length).toBeLessThan(350)
  })
})

describe('dialogue', () => {
  const talk = script(
    [{ expect: '220 ' }, { send: 'EHLO\r\n', expect: /^250 .*\r\n/m }, { send: 'QUIT\r\n' }],
    64,
    'steps',
  )

  it('sends and expects in order, however the bytes are cut', () => {
    const answer = bytes('220 hello\r\n250-A\r\n250 B\r\n')
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: answer.length })), (cuts) => {
        const places = [...new Set([0, ...cuts, answer.length])].sort((a, b) => a - b)
        const talking = dialogue(talk)
        const moves = [talking.next()]
        places.slice(1).forEach((end, index) => {
          if (moves.at(-1)?.state === 'waiting') {
            moves.push(talking.next(answer.subarray(places[index], end)))
          }
        })
        expect(moves.at(-1)?.state).toBe('done')
        const sent = moves.flatMap(({ send }) => send.map((each) => new TextDecoder().decode(each)))
        expect(sent).toEqual(['EHLO\r\n', 'QUIT\r\n'])
      }),
    )
  })

  it('says which step got what', () => {
    const talking = dialogue(talk)
    talking.next()
    expect(talking.next(bytes('554 no\r\n'))).toEqual({
      state: 'failed',
      send: [],
      problem: 'step 1 of 3: expected "220 ", got "554 no\\r\\n"',
    })
  })

  it('gives up when the limit is full', () => {
    const talking = dialogue(script([{ expect: /never/ }], 8, 'steps'))
    expect(talking.next().state).toBe('waiting')
    expect(talking.next(bytes('1234567')).state).toBe('waiting')
    expect(talking.next(bytes('89')).problem).toBe('no /never/ in the first 8 bytes')
  })

  it('never throws, and ends, for any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 32 }), { maxLength: 20 }), (chunks) => {
        const talking = dialogue(talk)
        let move = talking.next()
        for (const chunk of chunks) if (move.state === 'waiting') move = talking.next(chunk)
        const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
        if (total > 200) expect(move.state).not.toBe('waiting')
        expect(move.problem.length).toBeLessThan(500)
      }),
    )
  })

  it('refuses steps that do nothing', () => {
    expect(() => script([{}], 64, 'tcpCheck.steps')).toThrow('tcpCheck.steps[0]: does nothing')
    expect(() => script([], 64, 'tcpCheck.steps')).toThrow('tcpCheck.steps: has 0 steps')
  })
})
