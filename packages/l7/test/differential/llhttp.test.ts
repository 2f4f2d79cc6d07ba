import { METHODS } from 'node:http'
import { beforeAll, describe, expect, test } from 'vitest'
import { methods } from '../../src/wire/method.ts'
import { isForbiddenTrailer } from '../../src/wire/trailer-names.ts'
import { bytesOf } from '../wire/wire-text.ts'
import { type Message, type Reading, readRequests, readResponses } from './llhttp.ts'
import { requestInputs, responseInputs } from './messages.ts'
import { readRequest, readResponse } from './our-reading.ts'

// Our codec beside llhttp, through node:http: stricter where the table says so, never laxer, and of the same opinion
// about everything that both take.

interface Difference {
  /** What our refusal says, or Node's error. */
  readonly when: RegExp
  /** Why it is right that we differ. */
  readonly why: string
}

/** Node takes it, we do not. */
const stricterRequests: readonly Difference[] = [
  {
    when: /^framing: Transfer-Encoding bad$/,
    why: 'an empty element beside `chunked` (`,chunked`): a peer may see no chunked there',
  },
  {
    when: /^framing: Transfer-Encoding unsupported$/,
    why: 'a coding that we would have to take off to know the body: 501',
  },
  {
    when: /^framing: Transfer-Encoding in HTTP\/1\.0$/,
    why: 'HTTP/1.0 has none; peers of that version would read the chunks as the body, or the next request (RFC 9112 section 6.1)',
  },
  {
    when: /chunk size too large/,
    why: 'more than 16 digits, even if zeros: counters of peers overflow or cut',
  },
  {
    when: /byte 0x0d in a chunk extension/,
    why: 'a name with `=` and nothing behind it is no extension',
  },
  {
    when: /CR or LF before it/,
    why: 'one CRLF before a request is allowed for; more, or half of one, is not (RFC 9112 section 2.2)',
  },
  {
    when: /byte 0x20 in the version|two spaces before the target/,
    why: 'exactly one space between the parts: else peers disagree about the target',
  },
  { when: /byte 0x(52|49) in the version/, why: 'RTSP and ICE are other protocols' },
  { when: /unknown method/, why: 'methods of RTSP, which Node does not tell from ours' },
  {
    when: /has no version|HTTP\/0\.9/,
    why: 'Node takes some lines that end early; HTTP/0.9 is not spoken here',
  },
  { when: /version HTTP\/2\.0/, why: 'HTTP/2 has no request lines: 505' },
]

/** Node does not take it, we do. */
const laxerRequests: readonly Difference[] = [
  {
    when: /^HPE_INVALID_(CONTENT_LENGTH|TRANSFER_ENCODING)$/,
    why: 'as a trailer, where it is dropped like every forbidden name, and never read: checked below',
  },
  {
    when: /^HPE_INVALID_URL$/,
    why: 'a target of visible characters, but of no form: the gate refuses it, with what else a target means',
  },
]

const stricterResponses: readonly Difference[] = [
  { when: /chunk size too large/, why: 'as with requests' },
  { when: /byte 0x0d in a chunk extension/, why: 'as with requests' },
  { when: /101, though/, why: 'nobody asked for another protocol' },
  { when: /Transfer-Encoding in HTTP\/1\.0/, why: 'as with requests' },
  {
    when: /Transfer-Encoding is not `chunked`/,
    why: 'Node reads up to the end, coded; we could not say what we send on',
  },
  {
    when: /LF without CR|byte 0x0d in the version/,
    why: 'an empty line before a status line is no response, but something left over',
  },
  { when: /in the reason/, why: 'control characters, which we would have to send on' },
  { when: /in the status/, why: 'a status from 100 to 599, of three digits' },
  { when: /in the version/, why: 'only HTTP/1.1 and HTTP/1.0' },
]

const laxerResponses: readonly Difference[] = [
  { when: /^HPE_INVALID_CONTENT_LENGTH$|^HPE_INVALID_TRANSFER_ENCODING$/, why: 'as with requests' },
]

interface Comparison {
  readonly texts: readonly string[]
  readonly ours: readonly Reading[]
  readonly theirs: readonly Reading[]
}

/** What a message says to whoever does not look at forbidden trailers. */
function told({ start, lines, body, trailers }: Message): object {
  return { start, lines, body, trailers: trailers.filter(([name]) => !isForbiddenTrailer(name)) }
}

/** The inputs that one takes and the other does not, without those that the table explains; and what was never seen. */
function unexplained(
  { texts, ours, theirs }: Comparison,
  stricter: boolean,
  table: readonly Difference[],
): { inputs: string[]; unused: string[] } {
  const seen = new Set<Difference>()
  const inputs: string[] = []
  texts.forEach((text, i) => {
    const [taker, refuser] = stricter ? [theirs[i]!, ours[i]!] : [ours[i]!, theirs[i]!]
    if (taker.message === undefined || refuser.message !== undefined) return
    const row = table.find(({ when }) => when.test(refuser.code))
    if (row === undefined) inputs.push(`${refuser.code}: ${JSON.stringify(text)}`)
    else seen.add(row)
  })
  return { inputs, unused: table.filter((row) => !seen.has(row)).map(({ when }) => String(when)) }
}

function compareSuite(
  make: () => Promise<Comparison>,
  stricter: readonly Difference[],
  laxer: readonly Difference[],
  least: number,
): void {
  let comparison: Comparison
  beforeAll(async () => {
    comparison = await make()
  })

  test('both say the same of what both take', () => {
    const { texts, ours, theirs } = comparison
    let both = 0
    texts.forEach((text, i) => {
      const mine = ours[i]!.message
      const nodes = theirs[i]!.message
      if (mine === undefined || nodes === undefined) return
      both += 1
      expect({ text, ...told(mine) }).toEqual({ text, ...told(nodes) })
    })
    // Else the inputs show nothing.
    expect(both).toBeGreaterThan(least)
  })

  test('we refuse what Node takes only where the table says why', () => {
    expect(unexplained(comparison, true, stricter)).toEqual({ inputs: [], unused: [] })
  })

  test('we take what Node refuses only where the table says why', () => {
    expect(unexplained(comparison, false, laxer)).toEqual({ inputs: [], unused: [] })
    comparison.texts.forEach((text, i) => {
      const mine = comparison.ours[i]!.message
      if (mine === undefined || comparison.theirs[i]!.message !== undefined) return
      const target = mine.start.split(' ')[1]!
      const noForm = !/^(\/|\*|[a-z]+:\/\/[^/])/i.test(target)
      const framingTrailer = /\r\n0\r\n(Content-Length|Transfer-Encoding): [^\r]+\r\n\r\n$/.test(
        text,
      )
      expect([text, noForm || framingTrailer, mine.trailers]).toEqual([text, true, []])
    })
  })
}

describe('requests, by our codec and by llhttp', () => {
  const texts = requestInputs(6000, 3)
  const inputs = texts.map(bytesOf)
  compareSuite(
    async () => ({ texts, ours: inputs.map(readRequest), theirs: await readRequests(inputs) }),
    stricterRequests,
    laxerRequests,
    1500,
  )
})

describe('responses, by our codec and by llhttp', () => {
  const inputs = responseInputs(4000, 3).map(({ text, method }) => ({
    text,
    method,
    bytes: bytesOf(text),
  }))
  compareSuite(
    async () => ({
      texts: inputs.map(({ text, method }) => `${method}: ${text}`),
      ours: inputs.map(({ bytes, method }) => readResponse(bytes, method)),
      theirs: await readResponses(inputs),
    }),
    stricterResponses,
    laxerResponses,
    400,
  )
})

test('the methods that may pass are those that llhttp knows', () => {
  expect(METHODS.filter((method) => !methods.includes(method))).toEqual([])
  // QUERY came to Node in the middle of its version 22.
  expect(methods.filter((method) => method !== 'QUERY' && !METHODS.includes(method))).toEqual([])
})
