import type { BodyTransformer } from '../../src/exchange/body-transform.ts'
import { RequestEdits, ResponseEdits } from '../../src/exchange/field-edits.ts'
import type { HttpVersion } from '../../src/exchange/http-request.ts'
import { type PipeEnd, TransformPipe } from '../../src/exchange/transform-pipe.ts'
import { RequestHead } from '../../src/wire/request-head.ts'
import { ResponseHead } from '../../src/wire/response-head.ts'
import { type FakeExchange, type FakeExchangeInit, fakeExchange } from './fake-exchange.ts'

export interface BodyExchangeInit extends FakeExchangeInit {
  readonly version?: HttpVersion
  readonly bodyLength?: number
}

/** A fake exchange that also says how long its body is. */
export function bodyExchange(init: BodyExchangeInit = {}): FakeExchange {
  const { version = 'HTTP/1.1', bodyLength = 0 } = init
  const x = fakeExchange(init)
  return { ...x, request: { ...x.request, version, bodyLength } }
}

type Lines = Readonly<Record<string, string | readonly string[]>>

/** The head of a response, with the editor that filters are really given. */
export function responseHead(
  lines: Lines = {},
  init: { status?: number; bodyLength?: number } = {},
): ResponseEdits {
  const head = new ResponseHead()
  head.status = init.status ?? 200
  for (const [name, value] of Object.entries(lines)) {
    for (const one of [value].flat()) head.add(name, one)
  }
  return new ResponseEdits().on(head, init.bodyLength ?? -1)
}

/** The head of a request, the same way. */
export function requestHead(
  lines: Lines = {},
  init: { method?: string; path?: string; query?: string; host?: string } = {},
): RequestEdits {
  const head = new RequestHead()
  head.method = init.method ?? 'GET'
  head.path = init.path ?? '/'
  head.query = init.query
  head.authority = init.host ?? 'www.example.com'
  for (const [name, value] of Object.entries(lines)) {
    for (const one of [value].flat()) head.add(name, one)
  }
  return new RequestEdits().on(head)
}

/** The end of a pipe, for transforms under test: as fast as it is told to be. */
export class BodyEnd implements PipeEnd {
  readonly pieces: Uint8Array[] = []
  /** `data` beyond this many bytes since the last {@link BodyEnd.drain} is answered with false. */
  room = Number.POSITIVE_INFINITY
  readyCount = 0
  ended = false
  failure: unknown = undefined
  /** Runs when something came. */
  onData: (() => void) | undefined = undefined
  readonly pipe: TransformPipe
  readonly over: Promise<void>
  #settle: () => void = () => {}
  #taken = 0

  constructor(...transformers: BodyTransformer[]) {
    this.over = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.pipe = new TransformPipe(transformers, this)
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces)
  }

  get size(): number {
    return this.pieces.reduce((sum, { length }) => sum + length, 0)
  }

  /** Takes more. */
  drain(): void {
    this.#taken = 0
    this.pipe.drained()
  }

  pipeData(_pipe: TransformPipe, bytes: Uint8Array): boolean {
    if (this.ended) throw new Error('data behind the end')
    this.pieces.push(new Uint8Array(bytes))
    this.#taken += bytes.length
    this.onData?.()
    return this.#taken <= this.room
  }

  pipeEnd(): void {
    if (this.ended) throw new Error('ended twice')
    this.ended = true
    this.#settle()
  }

  pipeFailed(_pipe: TransformPipe, error: unknown): void {
    this.failure = error
    this.#settle()
  }

  pipeComplains(_pipe: TransformPipe, error: unknown): void {
    throw error
  }

  pipeReady(): void {
    this.readyCount += 1
  }
}
