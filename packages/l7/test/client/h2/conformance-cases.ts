import * as raw from './raw-h2.ts'

/** Error codes (RFC 9113 section 7). */
export const Code = {
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  compression: 9,
  calm: 11,
} as const

/** What a server has to do. */
export type Wanted =
  /** Answer the request on the stream, in the end. */
  | { readonly serve: number }
  /** Go on: answer a PING. */
  | { readonly live: true }
  /** End the connection, by GOAWAY with one of the codes, or without a word. */
  | { readonly connection: readonly number[] }
  /** Refuse the stream: by RST_STREAM with one of the codes, by 4xx where the head can be answered, or end the connection so. */
  | { readonly stream: readonly number[]; readonly id?: number }

/** One rule of HTTP/2 and how it is tried. */
export interface Case {
  /** Of RFC 9113, or of RFC 7541 where it says so. */
  readonly section: string
  readonly rule: string
  readonly send: readonly Uint8Array[]
  /** Sent instead of preface and SETTINGS. */
  readonly greeting?: Uint8Array
  /** Sent when the request on stream 1 has been answered. */
  readonly afterResponse?: readonly Uint8Array[]
  readonly wanted: Wanted
}

const { Type, Flag, frame, headers, data, settings, windowUpdate, rst, block, request, uint32 } =
  raw

const protocol: Wanted = { connection: [Code.protocol] }
const frameSize: Wanted = { connection: [Code.frameSize] }
const malformed: Wanted = { stream: [Code.protocol] }
const get = headers(1, request())
const post = (more: raw.Fields = []): Buffer =>
  headers(1, request('/', 'POST', more), Flag.endHeaders)
const withFields = (...more: raw.Fields): Buffer => headers(1, request('/', 'GET', more))
const without = (name: string): raw.Fields => request().filter(([key]) => key !== name)
const pad = (length: number, body: Uint8Array, tail: number): Buffer =>
  Buffer.concat([Buffer.from([length]), body, Buffer.alloc(tail)])
const priority = (on: number, weight = 15): Buffer =>
  Buffer.concat([uint32(on), Buffer.from([weight])])
/** A head in two parts, cut somewhere. */
const whole = block(request())
const front = whole.subarray(0, 10)
const back = whole.subarray(10)

export const cases: readonly Case[] = [
  // 3.4
  {
    section: '3.4',
    rule: 'a preface that is none ends the connection',
    greeting: Buffer.from('INVALID CONNECTION PREFACE\r\n\r\n'),
    send: [],
    wanted: protocol,
  },
  {
    section: '3.4',
    rule: 'the preface is followed by SETTINGS',
    greeting: Buffer.concat([raw.preface, get]),
    send: [],
    wanted: protocol,
  },
  {
    section: '3.4',
    rule: 'SETTINGS of the preface may be empty',
    send: [get],
    wanted: { serve: 1 },
  },
  {
    section: '3.4',
    rule: 'frames may follow before the server has said anything',
    greeting: Buffer.concat([raw.preface, settings(), get]),
    send: [raw.settingsAck],
    wanted: { serve: 1 },
  },

  // 4.1, 4.2
  {
    section: '4.1',
    rule: 'frames of unknown types are ignored',
    send: [frame(0xfa, 0xff, 0, 'x'), frame(0xfa, 0, 1, 'y'), get],
    wanted: { serve: 1 },
  },
  {
    section: '4.1',
    rule: 'unknown flags are ignored',
    send: [frame(Type.ping, 0xfe, 0, Buffer.alloc(8)), get],
    wanted: { serve: 1 },
  },
  {
    section: '4.1',
    rule: 'the reserved bit is ignored',
    send: [frame(Type.headers, Flag.endStream | Flag.endHeaders, 0x80000001, whole)],
    wanted: { serve: 1 },
  },
  {
    section: '4.2',
    rule: 'a frame of 2^14 octets is taken',
    send: [post(), data(1, Buffer.alloc(16_384))],
    wanted: { serve: 1 },
  },
  {
    section: '4.2',
    rule: 'DATA beyond the maximum is an error',
    send: [post(), data(1, Buffer.alloc(16_385))],
    wanted: { stream: [Code.frameSize] },
  },
  {
    section: '4.2',
    rule: 'HEADERS beyond the maximum end the connection',
    send: [frame(Type.headers, Flag.endStream | Flag.endHeaders, 1, Buffer.alloc(16_385))],
    wanted: frameSize,
  },

  // 4.3
  {
    section: '4.3',
    rule: 'a header block that does not decode ends the connection',
    send: [headers(1, Buffer.from([0x40, 1, 0x61, 5, 0x61]))],
    wanted: { connection: [Code.compression] },
  },
  {
    section: '4.3',
    rule: 'no other frame stands within a header block',
    send: [
      headers(1, front, Flag.endStream),
      frame(Type.priority, 0, 1, priority(0)),
      frame(Type.continuation, Flag.endHeaders, 1, back),
    ],
    wanted: protocol,
  },
  {
    section: '4.3',
    rule: 'no frame of another stream stands within a header block',
    send: [
      headers(1, front, Flag.endStream),
      headers(3, request()),
      frame(Type.continuation, Flag.endHeaders, 1, back),
    ],
    wanted: protocol,
  },

  // 5.1
  {
    section: '5.1',
    rule: 'idle: DATA ends the connection',
    send: [data(1, 'x')],
    wanted: { connection: [Code.protocol, Code.streamClosed] },
  },
  {
    section: '5.1',
    rule: 'idle: RST_STREAM ends the connection',
    send: [rst(1)],
    wanted: protocol,
  },
  {
    section: '5.1',
    rule: 'idle: WINDOW_UPDATE ends the connection',
    send: [windowUpdate(1, 100)],
    wanted: protocol,
  },
  {
    section: '5.1',
    rule: 'idle: CONTINUATION ends the connection',
    send: [frame(Type.continuation, Flag.endHeaders, 1, whole)],
    wanted: protocol,
  },
  {
    section: '5.1',
    rule: 'idle: PRIORITY is taken',
    send: [frame(Type.priority, 0, 1, priority(0)), get],
    wanted: { serve: 1 },
  },
  {
    section: '5.1',
    rule: 'half closed (remote): DATA is an error',
    send: [headers(1, request('/hang')), data(1, 'x')],
    wanted: { stream: [Code.streamClosed] },
  },
  {
    section: '5.1',
    rule: 'half closed (remote): HEADERS are an error',
    send: [headers(1, request('/hang')), get],
    wanted: { stream: [Code.streamClosed] },
  },
  {
    section: '5.1',
    rule: 'half closed (remote): CONTINUATION is an error',
    send: [headers(1, request('/hang')), frame(Type.continuation, Flag.endHeaders, 1, whole)],
    wanted: { stream: [Code.streamClosed, Code.protocol] },
  },
  {
    section: '5.1',
    rule: 'half closed (remote): WINDOW_UPDATE and PRIORITY are taken',
    send: [
      headers(1, request('/hang')),
      windowUpdate(1, 10),
      frame(Type.priority, 0, 1, priority(0)),
    ],
    wanted: { live: true },
  },
  {
    section: '5.1',
    rule: 'closed by RST_STREAM: DATA is an error',
    send: [post(), rst(1), data(1, 'x')],
    wanted: { stream: [Code.streamClosed] },
  },
  {
    section: '5.1',
    rule: 'closed by RST_STREAM: HEADERS are an error',
    send: [post(), rst(1), get],
    wanted: { stream: [Code.streamClosed] },
  },
  {
    section: '5.1',
    rule: 'closed by RST_STREAM: CONTINUATION is an error',
    send: [post(), rst(1), frame(Type.continuation, Flag.endHeaders, 1, whole)],
    wanted: { stream: [Code.streamClosed, Code.protocol] },
  },
  {
    section: '5.1',
    rule: 'closed by END_STREAM: DATA is an error',
    send: [get],
    afterResponse: [data(1, 'x')],
    wanted: { stream: [Code.streamClosed] },
  },
  {
    section: '5.1',
    rule: 'closed by END_STREAM: HEADERS are an error',
    send: [get],
    afterResponse: [get],
    wanted: { connection: [Code.streamClosed] },
  },
  {
    section: '5.1',
    rule: 'closed by END_STREAM: CONTINUATION is an error',
    send: [get],
    afterResponse: [frame(Type.continuation, Flag.endHeaders, 1, whole)],
    wanted: { connection: [Code.streamClosed, Code.protocol] },
  },
  {
    section: '5.1',
    rule: 'closed: WINDOW_UPDATE, RST_STREAM and PRIORITY are taken',
    send: [get],
    afterResponse: [windowUpdate(1, 10), rst(1), frame(Type.priority, 0, 1, priority(0))],
    wanted: { live: true },
  },

  // 5.1.1, 5.1.2
  {
    section: '5.1.1',
    rule: 'clients open streams with odd ids',
    send: [headers(2, request())],
    wanted: protocol,
  },
  {
    section: '5.1.1',
    rule: 'ids grow',
    send: [headers(5, request()), headers(3, request())],
    wanted: { connection: [Code.protocol, Code.streamClosed] },
  },
  {
    section: '5.1.1',
    rule: 'ids may be left out',
    send: [headers(7, request())],
    wanted: { serve: 7 },
  },
  {
    section: '5.1.2',
    rule: 'more streams than allowed are refused',
    send: Array.from({ length: 130 }, (_, i) => headers(i * 2 + 1, request('/hang'))),
    wanted: { stream: [Code.protocol, Code.refused], id: 259 },
  },

  // 5.3.1, 5.4.1, 5.5
  {
    section: '5.3.1',
    rule: 'PRIORITY that depends on itself is an error, or ignored',
    send: [post(), frame(Type.priority, 0, 1, priority(1)), data(1, 'x')],
    wanted: { serve: 1 },
  },
  {
    section: '5.4.1',
    rule: 'GOAWAY of the client lets its streams finish',
    send: [get, frame(Type.goaway, 0, 0, uint32(0, 0))],
    wanted: { serve: 1 },
  },
  {
    section: '5.5',
    rule: 'unknown settings are ignored',
    send: [settings([[0xff, 1]]), get],
    wanted: { serve: 1 },
  },

  // 6.1
  { section: '6.1', rule: 'DATA', send: [post(), data(1, 'test')], wanted: { serve: 1 } },
  {
    section: '6.1',
    rule: 'DATA in pieces',
    send: [post(), data(1, 'a', 0), data(1, 'b', 0), data(1, '', Flag.endStream)],
    wanted: { serve: 1 },
  },
  {
    section: '6.1',
    rule: 'DATA with padding',
    send: [post(), data(1, pad(5, Buffer.from('test'), 5), Flag.endStream | Flag.padded)],
    wanted: { serve: 1 },
  },
  {
    section: '6.1',
    rule: 'DATA on stream 0 ends the connection',
    send: [data(0, 'x')],
    wanted: protocol,
  },
  {
    section: '6.1',
    rule: 'DATA with more padding than payload ends the connection',
    send: [post(), data(1, pad(6, Buffer.from('test'), 0), Flag.endStream | Flag.padded)],
    wanted: protocol,
  },
  {
    section: '6.1',
    rule: 'padded DATA without a length ends the connection',
    send: [post(), data(1, '', Flag.endStream | Flag.padded)],
    wanted: { connection: [Code.protocol, Code.frameSize] },
  },

  // 6.2
  {
    section: '6.2',
    rule: 'HEADERS with padding',
    send: [headers(1, pad(7, whole, 7), Flag.endStream | Flag.endHeaders | Flag.padded)],
    wanted: { serve: 1 },
  },
  {
    section: '6.2',
    rule: 'HEADERS with priority',
    send: [
      headers(
        1,
        Buffer.concat([priority(0), whole]),
        Flag.endStream | Flag.endHeaders | Flag.priority,
      ),
    ],
    wanted: { serve: 1 },
  },
  {
    section: '6.2',
    rule: 'HEADERS with padding and priority',
    send: [
      headers(
        1,
        pad(4, Buffer.concat([priority(0, 255), whole]), 4),
        Flag.endStream | Flag.endHeaders | Flag.priority | Flag.padded,
      ),
    ],
    wanted: { serve: 1 },
  },
  {
    section: '6.2',
    rule: 'HEADERS on stream 0 end the connection',
    send: [headers(0, request())],
    wanted: protocol,
  },
  {
    section: '6.2',
    rule: 'HEADERS with more padding than payload end the connection',
    send: [
      headers(
        1,
        Buffer.concat([Buffer.from([255]), whole]),
        Flag.endStream | Flag.endHeaders | Flag.padded,
      ),
    ],
    wanted: protocol,
  },
  {
    section: '6.2',
    rule: 'HEADERS too short for their priority end the connection',
    send: [headers(1, Buffer.alloc(3), Flag.endStream | Flag.endHeaders | Flag.priority)],
    wanted: frameSize,
  },

  // 6.3
  {
    section: '6.3',
    rule: 'PRIORITY on stream 0 ends the connection',
    send: [frame(Type.priority, 0, 0, priority(0))],
    wanted: protocol,
  },
  {
    section: '6.3',
    rule: 'PRIORITY of another length than 5 is an error',
    send: [post(), frame(Type.priority, 0, 1, 'four')],
    wanted: { stream: [Code.frameSize] },
  },

  // 6.4
  { section: '6.4', rule: 'RST_STREAM', send: [post(), rst(1)], wanted: { live: true } },
  {
    section: '6.4',
    rule: 'RST_STREAM with a code that nobody knows',
    send: [post(), rst(1, 0xff)],
    wanted: { live: true },
  },
  {
    section: '6.4',
    rule: 'RST_STREAM on stream 0 ends the connection',
    send: [rst(0)],
    wanted: protocol,
  },
  {
    section: '6.4',
    rule: 'RST_STREAM of another length than 4 ends the connection',
    send: [post(), frame(Type.rstStream, 0, 1, 'abc')],
    wanted: frameSize,
  },

  // 6.5
  {
    section: '6.5',
    rule: 'SETTINGS',
    send: [
      settings([
        [1, 100],
        [2, 0],
        [3, 1],
        [4, 100],
        [5, 20_000],
        [6, 1000],
      ]),
      get,
    ],
    wanted: { serve: 1 },
  },
  {
    section: '6.5',
    rule: 'an acknowledgement with content ends the connection',
    send: [frame(Type.settings, Flag.ack, 0, Buffer.alloc(6))],
    wanted: frameSize,
  },
  {
    section: '6.5',
    rule: 'SETTINGS on a stream end the connection',
    send: [frame(Type.settings, 0, 1, Buffer.alloc(6))],
    wanted: protocol,
  },
  {
    section: '6.5',
    rule: 'SETTINGS of a length that is no multiple of 6 end the connection',
    send: [frame(Type.settings, 0, 0, Buffer.alloc(5))],
    wanted: frameSize,
  },
  { section: '6.5.2', rule: 'ENABLE_PUSH is 0 or 1', send: [settings([[2, 2]])], wanted: protocol },
  {
    section: '6.5.2',
    rule: 'INITIAL_WINDOW_SIZE is at most 2^31-1',
    send: [settings([[4, 0x80000000]])],
    wanted: { connection: [Code.flowControl] },
  },
  {
    section: '6.5.2',
    rule: 'MAX_FRAME_SIZE is at least 2^14',
    send: [settings([[5, 16_383]])],
    wanted: protocol,
  },
  {
    section: '6.5.2',
    rule: 'MAX_FRAME_SIZE is at most 2^24-1',
    send: [settings([[5, 16_777_216]])],
    wanted: protocol,
  },
  {
    section: '6.5.2',
    rule: 'the last of several values counts',
    send: [
      settings([
        [4, 0],
        [4, 65_535],
      ]),
      get,
    ],
    wanted: { serve: 1 },
  },
  {
    section: '8441 3',
    rule: 'ENABLE_CONNECT_PROTOCOL is 0 or 1',
    send: [settings([[8, 2]])],
    wanted: protocol,
  },

  // 6.6, 6.7, 6.8
  {
    section: '6.6',
    rule: 'PUSH_PROMISE of a client ends the connection',
    send: [frame(Type.pushPromise, Flag.endHeaders, 1, Buffer.concat([uint32(2), whole]))],
    wanted: protocol,
  },
  {
    section: '6.7',
    rule: 'PING',
    send: [frame(Type.ping, 0, 0, 'abcdefgh')],
    wanted: { live: true },
  },
  {
    section: '6.7',
    rule: 'an answer to a PING is not answered',
    send: [frame(Type.ping, Flag.ack, 0, 'abcdefgh'), get],
    wanted: { serve: 1 },
  },
  {
    section: '6.7',
    rule: 'PING on a stream ends the connection',
    send: [frame(Type.ping, 0, 1, 'abcdefgh')],
    wanted: protocol,
  },
  {
    section: '6.7',
    rule: 'PING of another length than 8 ends the connection',
    send: [frame(Type.ping, 0, 0, 'abcdef')],
    wanted: frameSize,
  },
  {
    section: '6.8',
    rule: 'GOAWAY on a stream ends the connection',
    send: [frame(Type.goaway, 0, 1, uint32(0, 0))],
    wanted: protocol,
  },
  {
    section: '6.8',
    rule: 'GOAWAY too short ends the connection',
    send: [frame(Type.goaway, 0, 0, 'short')],
    wanted: frameSize,
  },

  // 6.9
  {
    section: '6.9',
    rule: 'WINDOW_UPDATE',
    send: [windowUpdate(0, 100), post(), windowUpdate(1, 100), data(1, 'x')],
    wanted: { serve: 1 },
  },
  {
    section: '6.9',
    rule: 'WINDOW_UPDATE of 0 on the connection ends it',
    send: [windowUpdate(0, 0)],
    wanted: protocol,
  },
  {
    section: '6.9',
    rule: 'WINDOW_UPDATE of 0 on a stream is an error',
    send: [post(), windowUpdate(1, 0)],
    wanted: { stream: [Code.protocol] },
  },
  {
    section: '6.9',
    rule: 'WINDOW_UPDATE of another length than 4 ends the connection',
    send: [frame(Type.windowUpdate, 0, 0, 'abc')],
    wanted: frameSize,
  },
  {
    section: '6.9.1',
    rule: "the connection's window is at most 2^31-1",
    send: [windowUpdate(0, 0x7fffffff), windowUpdate(0, 0x7fffffff)],
    wanted: { connection: [Code.flowControl] },
  },
  {
    section: '6.9.1',
    rule: "a stream's window is at most 2^31-1",
    send: [post(), windowUpdate(1, 0x7fffffff), windowUpdate(1, 0x7fffffff)],
    wanted: { stream: [Code.flowControl] },
  },
  {
    section: '6.9.1',
    rule: 'a window of 1 is respected and may grow',
    greeting: Buffer.concat([raw.preface, settings([[4, 1]])]),
    send: [raw.settingsAck, get, windowUpdate(1, 100)],
    wanted: { serve: 1 },
  },
  {
    section: '6.9.2',
    rule: 'INITIAL_WINDOW_SIZE changes the windows of open streams',
    greeting: Buffer.concat([raw.preface, settings([[4, 0]])]),
    send: [raw.settingsAck, get, settings([[4, 100]])],
    wanted: { serve: 1 },
  },
  {
    section: '6.9.2',
    rule: 'INITIAL_WINDOW_SIZE that makes a window too large ends the connection',
    send: [post(), windowUpdate(1, 0x7fff0000 - 0xffff), settings([[4, 0x7fffffff]])],
    wanted: { connection: [Code.flowControl] },
  },

  // 6.10
  {
    section: '6.10',
    rule: 'CONTINUATION',
    send: [
      headers(1, front, Flag.endStream),
      frame(Type.continuation, 0, 1, back.subarray(0, 5)),
      frame(Type.continuation, Flag.endHeaders, 1, back.subarray(5)),
    ],
    wanted: { serve: 1 },
  },
  {
    section: '6.10',
    rule: 'CONTINUATION is followed by nothing but CONTINUATION',
    send: [
      headers(1, front, Flag.endStream),
      frame(Type.continuation, 0, 1, back.subarray(0, 5)),
      data(1, 'x'),
    ],
    wanted: protocol,
  },
  {
    section: '6.10',
    rule: 'CONTINUATION on stream 0 ends the connection',
    send: [headers(1, front, Flag.endStream), frame(Type.continuation, Flag.endHeaders, 0, back)],
    wanted: protocol,
  },
  {
    section: '6.10',
    rule: 'CONTINUATION after END_HEADERS ends the connection',
    send: [post(), frame(Type.continuation, Flag.endHeaders, 1, back)],
    wanted: protocol,
  },
  {
    section: '6.10',
    rule: 'CONTINUATION after CONTINUATION with END_HEADERS ends the connection',
    send: [
      headers(1, front, 0),
      frame(Type.continuation, Flag.endHeaders, 1, back),
      frame(Type.continuation, Flag.endHeaders, 1, whole),
    ],
    wanted: protocol,
  },
  {
    section: '6.10',
    rule: 'CONTINUATION after DATA ends the connection',
    send: [post(), data(1, 'x', 0), frame(Type.continuation, Flag.endHeaders, 1, whole)],
    wanted: protocol,
  },

  // 8.1
  {
    section: '8.1',
    rule: 'trailers',
    send: [post([['trailer', 'x-t']]), data(1, 'x', 0), headers(1, [['x-t', '1']])],
    wanted: { serve: 1 },
  },
  {
    section: '8.1',
    rule: 'trailers without END_STREAM are malformed',
    send: [post(), data(1, 'x', 0), headers(1, [['x-t', '1']], Flag.endHeaders)],
    wanted: malformed,
  },
  {
    section: '8.1',
    rule: 'trailers with pseudo-header fields are malformed',
    send: [
      post(),
      data(1, 'x', 0),
      headers(1, [
        [':method', 'GET'],
        ['x-t', '1'],
      ]),
    ],
    wanted: malformed,
  },
  {
    section: '8.1',
    rule: 'trailers with fields in upper case are malformed',
    send: [post(), data(1, 'x', 0), headers(1, [['X-T', '1']])],
    wanted: malformed,
  },
  {
    section: '8.1.1',
    rule: 'a content-length below what DATA bring is malformed',
    send: [post([['content-length', '1']]), data(1, 'test')],
    wanted: malformed,
  },
  {
    section: '8.1.1',
    rule: 'a content-length above what DATA bring is malformed',
    send: [post([['content-length', '9']]), data(1, 'test')],
    wanted: malformed,
  },
  {
    section: '8.1.1',
    rule: 'a content-length below the sum of several DATA is malformed',
    send: [post([['content-length', '5']]), data(1, 'test', 0), data(1, 'test')],
    wanted: malformed,
  },
  {
    section: '8.1.1',
    rule: 'a content-length without DATA is malformed',
    send: [withFields(['content-length', '4'])],
    wanted: malformed,
  },
  {
    section: '8.1.1',
    rule: 'a content-length that is right is taken',
    send: [post([['content-length', '4']]), data(1, 'test')],
    wanted: { serve: 1 },
  },

  // 8.2
  {
    section: '8.2.1',
    rule: 'names in upper case are malformed',
    send: [withFields(['X-Test', '1'])],
    wanted: malformed,
  },
  {
    section: '8.2.1',
    rule: 'an empty name is malformed',
    send: [withFields(['', '1'])],
    wanted: malformed,
  },
  {
    section: '8.2.1',
    rule: 'a colon within a name is malformed',
    send: [withFields(['a:b', '1'])],
    wanted: malformed,
  },
  {
    section: '8.2.1',
    rule: 'a space within a name is malformed',
    send: [withFields(['a b', '1'])],
    wanted: malformed,
  },
  {
    section: '8.2.1',
    rule: 'a control character in a name is malformed',
    send: [withFields(['a\x01', '1'])],
    wanted: malformed,
  },
  {
    section: '8.2.1',
    rule: 'NUL in a value is malformed',
    send: [withFields(['a', 'x\0y'])],
    wanted: malformed,
  },
  {
    section: '8.2.1',
    rule: 'CR in a value is malformed',
    send: [withFields(['a', 'x\ry'])],
    wanted: malformed,
  },
  {
    section: '8.2.1',
    rule: 'LF in a value is malformed',
    send: [withFields(['a', 'x\ny'])],
    wanted: malformed,
  },
  {
    section: '8.2.1',
    rule: 'a space before a value is malformed',
    send: [withFields(['a', ' x'])],
    wanted: malformed,
  },
  {
    section: '8.2.1',
    rule: 'a tab behind a value is malformed',
    send: [withFields(['a', 'x\t'])],
    wanted: malformed,
  },
  ...(
    ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'] as const
  ).map(
    (name): Case => ({
      section: '8.2.2',
      rule: `${name} is malformed`,
      send: [withFields([name, 'x'])],
      wanted: malformed,
    }),
  ),
  {
    section: '8.2.2',
    rule: 'TE other than trailers is malformed',
    send: [withFields(['te', 'trailers, deflate'])],
    wanted: malformed,
  },
  {
    section: '8.2.2',
    rule: 'TE trailers is taken',
    send: [withFields(['te', 'trailers'])],
    wanted: { serve: 1 },
  },
  {
    section: '8.2.3',
    rule: 'crumbs of a cookie',
    send: [withFields(['cookie', 'a=b'], ['cookie', 'c=d'])],
    wanted: { serve: 1 },
  },

  // 8.3
  {
    section: '8.3',
    rule: 'an unknown pseudo-header field is malformed',
    send: [headers(1, [...request(), [':test', '1']])],
    wanted: malformed,
  },
  {
    section: '8.3',
    rule: 'a pseudo-header field of responses is malformed',
    send: [headers(1, [...request(), [':status', '200']])],
    wanted: malformed,
  },
  {
    section: '8.3',
    rule: 'a pseudo-header field behind a regular one is malformed',
    send: [headers(1, [...without(':path'), ['a', 'b'], [':path', '/']])],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: 'no :method is malformed',
    send: [headers(1, without(':method'))],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: 'no :scheme is malformed',
    send: [headers(1, without(':scheme'))],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: 'no :path is malformed',
    send: [headers(1, without(':path'))],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: 'an empty :path is malformed',
    send: [headers(1, [...without(':path'), [':path', '']])],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: 'a :path that begins with something else than / is malformed',
    send: [headers(1, [...without(':path'), [':path', 'x']])],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: ':method twice is malformed',
    send: [headers(1, [...request(), [':method', 'GET']])],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: ':scheme twice is malformed',
    send: [headers(1, [...request(), [':scheme', 'http']])],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: ':path twice is malformed',
    send: [headers(1, [...request(), [':path', '/']])],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: ':authority twice is malformed',
    send: [headers(1, [...request(), [':authority', 'a.example']])],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: 'userinfo in :authority is malformed',
    send: [headers(1, [...without(':authority'), [':authority', 'u@a.example']])],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: 'Host that differs from :authority is malformed',
    send: [withFields(['host', 'b.example'])],
    wanted: malformed,
  },
  {
    section: '8.3.1',
    rule: 'Host without :authority is taken',
    send: [headers(1, [...without(':authority'), ['host', 'a.example']])],
    wanted: { serve: 1 },
  },
  {
    section: '8.5',
    rule: 'CONNECT with :path is malformed',
    send: [
      headers(1, [
        [':method', 'CONNECT'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'a.example:1'],
      ]),
    ],
    wanted: malformed,
  },
  {
    section: '8441 4',
    rule: ':protocol without CONNECT is malformed',
    send: [headers(1, [...request(), [':protocol', 'websocket']])],
    wanted: malformed,
  },

  // HPACK
  {
    section: '7541 2.3.3',
    rule: 'an index beyond the tables ends the connection',
    send: [headers(1, Buffer.concat([whole, Buffer.from([0xff, 0x50])]))],
    wanted: { connection: [Code.compression] },
  },
  {
    section: '7541 4.2',
    rule: 'a change of the table size at the end of a block ends the connection',
    send: [headers(1, Buffer.concat([whole, Buffer.from([0x21])]))],
    wanted: { connection: [Code.compression] },
  },
  {
    section: '7541 5.2',
    rule: 'Huffman padding longer than 7 bits ends the connection',
    send: [
      headers(1, Buffer.concat([whole, Buffer.from('0085f2b24a84ff874951fffffffa7f', 'hex')])),
    ],
    wanted: { connection: [Code.compression] },
  },
  {
    section: '7541 5.2',
    rule: 'Huffman padding of zeros ends the connection',
    send: [headers(1, Buffer.concat([whole, Buffer.from('0085f2b24a84ff83498000', 'hex')]))],
    wanted: { connection: [Code.compression] },
  },
  {
    section: '7541 5.2',
    rule: 'EOS within a Huffman text ends the connection',
    send: [
      headers(1, Buffer.concat([whole, Buffer.from('0085f2b24a84ff874951fffffffa7f', 'hex')])),
    ],
    wanted: { connection: [Code.compression] },
  },
  {
    section: '7541 6.1',
    rule: 'index 0 ends the connection',
    send: [headers(1, Buffer.concat([whole, Buffer.from([0x80])]))],
    wanted: { connection: [Code.compression] },
  },
  {
    section: '7541 6.3',
    rule: 'a table larger than allowed ends the connection',
    send: [headers(1, Buffer.concat([Buffer.from([0x3f, 0xe2, 0xff, 0x03]), whole]))],
    wanted: { connection: [Code.compression] },
  },
]
