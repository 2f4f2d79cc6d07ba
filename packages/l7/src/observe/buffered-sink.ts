import {
  type Clock,
  clockOption,
  type Duration,
  functionOption,
  invalidOption,
  type Logger,
  objectOption,
  parseDuration,
  parseSize,
  partOption,
  type Size,
  shown,
  silentLog,
  systemClock,
} from '@steelyard/core'
import { descriptorStream } from './descriptor-stream.ts'
import type { LogSink } from './log-sink.ts'
import { isoTime } from './log-time.ts'

/** What lines can be written to: a Node stream, or anything that says when it has taken a piece. */
export interface LineStream {
  /** Takes a piece; `done` is called when it is through, or has failed. The next piece comes after that. */
  write(piece: Uint8Array, done: (error?: Error | null) => void): unknown
}

/** How a {@link bufferedSink} holds and hands over lines. */
export interface BufferedSinkOptions {
  /** Bytes that may wait, those on their way included; further lines are dropped. Default `4MiB`. */
  readonly maxBytes?: Size
  /** Bytes that are handed over without waiting for more. Default `64KiB`. */
  readonly batchBytes?: Size
  /** How long a line waits for others at most. Default `200ms`. */
  readonly flushMs?: Duration
  /** How often the sink says in its own stream how many lines were dropped, at most. Default `10s`. */
  readonly noticeEvery?: Duration
  /** What it says, without a line's end. `json`: `{"dropped":7,"time":"…"}`; `text`: `# 7 lines dropped`. Default `json`. */
  readonly notice?: 'json' | 'text' | ((dropped: number, wallMs: number) => string)
  /** How long {@link BufferedSink.close} waits for the stream. Default `5s`. */
  readonly closeWithin?: Duration
  /** Told of failed writes and dropped lines, at most once per {@link BufferedSinkOptions.noticeEvery}. Default: nobody. */
  readonly log?: Logger
  readonly clock?: Clock
}

/** A bounded buffer in front of a stream. */
export interface BufferedSink extends LogSink, AsyncDisposable {
  /** Lines that the stream has taken. */
  readonly written: number
  /** Lines that are lost: there was no room, or the stream failed. */
  readonly dropped: number
  /** Bytes that wait or are on their way. */
  readonly queued: number
  /** Hands over what waits now, unless the stream is busy. */
  flush(): void
  /** Writes to another stream or descriptor from the next batch on, as after a file was rotated. */
  redirect(target: LineStream | number): void
  /** Takes no more lines; resolves when all are handed over, or when {@link BufferedSinkOptions.closeWithin} is over. */
  close(): Promise<void>
}

/**
 * Makes a {@link BufferedSink}: lines are gathered and handed over in batches, one at a time; while the stream is slow
 * they wait within a bound, and beyond it they are dropped, counted, and told of by a line of the sink's own.
 *
 * @param target - a writable stream, whose `error` events stay its owner's, or a file descriptor, which is written
 *   by Node's thread pool and not closed.
 * @throws `invalid-option` with the path of the field.
 */
export function bufferedSink(
  target: LineStream | number,
  options: BufferedSinkOptions = {},
  path = 'bufferedSink',
): BufferedSink {
  const {
    maxBytes = '4MiB',
    batchBytes = '64KiB',
    flushMs = '200ms',
    noticeEvery = '10s',
    closeWithin = '5s',
    notice = 'json',
  } = objectOption(options, path)
  const clock = clockOption(options.clock ?? systemClock, `${path}.clock`)
  return new Batches(streamOf(target, clock, `${path}.target`), {
    clock,
    maxBytes: sizeOption(maxBytes, `${path}.maxBytes`),
    batchBytes: sizeOption(batchBytes, `${path}.batchBytes`),
    flushMs: parseDuration(flushMs, `${path}.flushMs`),
    noticeMs: parseDuration(noticeEvery, `${path}.noticeEvery`),
    closeMs: parseDuration(closeWithin, `${path}.closeWithin`),
    notice: noticeOption(notice, `${path}.notice`),
    log:
      partOption(options.log, 'warn', `${path}.log`, 'it needs the methods of a logger') ??
      silentLog,
  })
}

type NoticeText = (dropped: number, wallMs: number) => string

interface Settings {
  readonly clock: Clock
  readonly maxBytes: number
  readonly batchBytes: number
  readonly flushMs: number
  readonly noticeMs: number
  readonly closeMs: number
  readonly notice: NoticeText
  readonly log: Logger
}

class Batches implements BufferedSink {
  written = 0
  dropped = 0
  readonly #settings: Settings
  #target: LineStream
  /** Lines that wait, with their ends. */
  #text = ''
  #bytes = 0
  #lines = 0
  /** On their way. */
  #sentBytes = 0
  #busy = false
  /** The time of the flush came while the stream was busy. */
  #due = false
  #untold = 0
  #failure: unknown = undefined
  #noticeAt = Number.NEGATIVE_INFINITY
  #flushTimer: Disposable | undefined
  #noticeTimer: Disposable | undefined
  #closed: Promise<void> | undefined
  #settle: (() => void) | undefined

  constructor(target: LineStream, settings: Settings) {
    this.#target = target
    this.#settings = settings
  }

  get queued(): number {
    return this.#bytes + this.#sentBytes
  }

  write(line: string): boolean {
    const { maxBytes, batchBytes, flushMs, clock } = this.#settings
    const size = Buffer.byteLength(line) + 1
    if (this.#closed !== undefined || this.#bytes + this.#sentBytes + size > maxBytes) {
      this.#drop(1)
      return false
    }
    this.#text += `${line}\n`
    this.#bytes += size
    this.#lines += 1
    if (this.#bytes >= batchBytes) this.flush()
    else if (!this.#busy || !this.#due) {
      this.#flushTimer ??= clock.after(flushMs, () => {
        this.#flushTimer = undefined
        if (this.#busy) this.#due = true
        else this.flush()
      })
    }
    return true
  }

  flush(): void {
    if (this.#busy) {
      this.#due = true
      return
    }
    this.#due = false
    // Closed, and whoever waited for it has gone on.
    if (this.#closed !== undefined && this.#settle === undefined) return
    const notice = this.#dueNotice()
    if (this.#lines === 0 && notice === '') return
    this.#flushTimer?.[Symbol.dispose]()
    this.#flushTimer = undefined
    const text = this.#text + notice
    // ASCII, which our lines are, is copied faster when it is called so.
    const isAscii = text.length === this.#bytes + Buffer.byteLength(notice)
    const piece = Buffer.from(text, isAscii ? 'latin1' : 'utf8')
    const lines = this.#lines
    this.#text = ''
    this.#bytes = 0
    this.#lines = 0
    this.#send(piece, lines)
  }

  redirect(target: LineStream | number): void {
    this.#target = streamOf(target, this.#settings.clock, 'target')
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      const { clock, closeMs } = this.#settings
      const timer = clock.after(closeMs, () => {
        this.#drop(this.#lines)
        this.#text = ''
        this.#bytes = 0
        this.#lines = 0
        this.#settle?.()
      })
      this.#settle = () => {
        this.#settle = undefined
        timer[Symbol.dispose]()
        this.#flushTimer?.[Symbol.dispose]()
        this.#noticeTimer?.[Symbol.dispose]()
        resolve()
      }
      // The last word is said whenever the one before was.
      this.#noticeAt = Number.NEGATIVE_INFINITY
      this.flush()
      this.#settleIfIdle()
    })
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #send(piece: Uint8Array, lines: number): void {
    this.#busy = true
    this.#sentBytes = piece.length
    let over = false
    const done = (error?: unknown): void => {
      if (over) return
      over = true
      this.#sent(lines, error ?? undefined)
    }
    try {
      this.#target.write(piece, done)
    } catch (error) {
      done(error)
    }
  }

  #sent(lines: number, error: unknown): void {
    this.#busy = false
    this.#sentBytes = 0
    if (error === undefined) this.written += lines
    else {
      this.#failure = error
      this.#drop(lines)
    }
    if (this.#due || this.#bytes >= this.#settings.batchBytes || this.#closed !== undefined) {
      this.flush()
    }
    this.#settleIfIdle()
  }

  #settleIfIdle(): void {
    if (!this.#busy && this.#lines === 0) this.#settle?.()
  }

  #drop(lines: number): void {
    if (lines === 0) return
    this.dropped += lines
    this.#untold += lines
    this.#armNotice()
  }

  #armNotice(): void {
    if (this.#closed !== undefined) return
    const { clock, noticeMs } = this.#settings
    this.#noticeTimer ??= clock.after(Math.max(0, this.#noticeAt + noticeMs - clock.now()), () => {
      this.#noticeTimer = undefined
      this.flush()
    })
  }

  /** Takes the words about dropped lines when it is their time. */
  #dueNotice(): string {
    const { clock, noticeMs, notice, log } = this.#settings
    const now = clock.now()
    if (this.#untold === 0) return ''
    if (now < this.#noticeAt + noticeMs) {
      this.#armNotice()
      return ''
    }
    const dropped = this.#untold
    const error = this.#failure
    this.#noticeAt = now
    this.#untold = 0
    this.#failure = undefined
    log.warn({ dropped, ...(error === undefined ? {} : { error }) }, 'log lines were dropped')
    return `${notice(dropped, clock.wallNow())}\n`
  }
}

const noticeTexts: Readonly<Record<'json' | 'text', NoticeText>> = {
  json: (dropped, wallMs) => `{"dropped":${dropped},"time":"${isoTime()(wallMs)}"}`,
  text: (dropped) => `# ${dropped} lines dropped`,
}

function noticeOption(
  notice: NonNullable<BufferedSinkOptions['notice']>,
  path: string,
): NoticeText {
  if (typeof notice !== 'string') return functionOption(notice, path)
  if (Object.hasOwn(noticeTexts, notice)) return noticeTexts[notice]
  throw invalidOption(path, `${shown(notice)} is none of json, text: write one, or a function`)
}

function sizeOption(size: Size, path: string): number {
  const bytes = parseSize(size, path)
  if (bytes > 0) return bytes
  throw invalidOption(path, 'must be more than 0')
}

function streamOf(target: LineStream | number, clock: Clock, path: string): LineStream {
  if (typeof target === 'number') return descriptorStream(target, clock, path)
  const stream = partOption(target, 'write', path, 'use a writable stream or a file descriptor')
  if (stream !== undefined) return stream
  throw invalidOption(path, 'is needed: use a writable stream or a file descriptor')
}
