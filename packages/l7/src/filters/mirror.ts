import {
  type Duration,
  functionOption,
  invalidOption,
  objectOption,
  type Pool,
  parseDuration,
  parseSize,
  partOption,
  type Size,
  shown,
} from '@steelyard/core'
import type { BodySink } from '../exchange/body-transform.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { type FieldRecord, fieldRecordOption } from './field-option.ts'
import { BodyTap } from './mirror/body-tap.ts'
import { type CopiedHead, copiedHead } from './mirror/copied-head.ts'
import { httpMirrorSender } from './mirror/http-mirror-sender.ts'
import type { MirrorCall, MirrorOutcome, MirrorSender } from './mirror/mirror-sender.ts'
import { wholeOption } from './number-option.ts'

/** What {@link mirror} copies, and where to. */
export interface MirrorOptions {
  /** Who gets the copies. It is in use, its check running, from the first copy until {@link Mirror.close}. */
  readonly pool: Pool
  /** Of 100 requests, how many are copied; 0 for none, fractions allowed. Default 100. */
  readonly percent?: number
  /** Requests with a longer body are not copied. Default `64KiB`. */
  readonly maxBodyBytes?: Size
  /** How long a copy may take to be answered to the end. Default `5s`. */
  readonly timeout?: Duration
  /** Copies under way at one time; beyond it requests are not copied. Default 64. */
  readonly maxConcurrent?: number
  /** Which requests are copied. Default: all. */
  readonly match?: (x: Exchange) => boolean
  /** Put behind the first label of the Host's name, such as `-shadow`: `www.example.com` becomes `www-shadow.example.com`. Default: none. */
  readonly hostSuffix?: string
  /** Fields to set on copies. Default `{ 'x-shadow': '1' }`. */
  readonly headers?: FieldRecord
  /** How copies are sent. Default: {@link httpMirrorSender}. */
  readonly sender?: MirrorSender
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
}

/** What became of requests that a mirror was to copy. */
export interface MirrorCounts {
  readonly sent: number
  readonly answered: number
  /** Too many were under way. */
  readonly dropped: number
  /** The body was longer than `maxBodyBytes`. */
  readonly tooLong: number
  /** Not sent, because the exchange ended before the request was whole or went anywhere. */
  readonly unfinished: number
  readonly noBackend: number
  readonly failed: number
  readonly timedOut: number
}

/** A filter that copies requests, and its state. */
export interface Mirror extends HttpFilter {
  readonly counts: MirrorCounts
  /** Copies under way, those whose body is still coming included. */
  readonly active: number
  /** Copies nothing more, gives up what is under way, and lets go of connections and of the pool. */
  close(): void
}

/**
 * Sends copies of requests to another pool and throws the answers away. The exchange itself is neither delayed nor
 * failed by it: copies have their own connections and bounds, and what does not fit is dropped and counted. A copy is
 * what the first member was sent, rewritten path and fields included; it goes out when its body is whole. Upgrades
 * and CONNECT are not copied.
 *
 * @example
 * ```ts
 * import { pool } from '@steelyard/core'
 * import { mirror } from '@steelyard/l7'
 *
 * const canary = pool({ name: 'canary', backends: ['10.0.3.11:8080'] })
 * const shadow = mirror({ pool: canary, percent: 5, hostSuffix: '-shadow' })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function mirror(options: MirrorOptions, path = 'mirror'): Mirror {
  objectOption(options, path)
  const { percent = 100 } = options
  const pool = requiredPool(options, path)
  if (typeof percent !== 'number' || !(percent >= 0 && percent <= 100)) {
    throw invalidOption(`${path}.percent`, `${shown(percent)} is no share: use 0 to 100`)
  }
  const maxBodyBytes = parseSize(options.maxBodyBytes ?? '64KiB', `${path}.maxBodyBytes`)
  const timeoutMs = parseDuration(options.timeout ?? '5s', `${path}.timeout`)
  if (timeoutMs === 0) throw invalidOption(`${path}.timeout`, 'must be more than 0')
  const most = wholeOption(options.maxConcurrent ?? 64, `${path}.maxConcurrent`, 1, 65_536, 'bound')
  const match = options.match === undefined ? all : functionOption(options.match, `${path}.match`)
  const random = functionOption(options.random ?? Math.random, `${path}.random`)
  const suffix = suffixOption(options.hostSuffix ?? '', `${path}.hostSuffix`)
  const marks = fieldRecordOption(options.headers ?? { 'x-shadow': '1' }, `${path}.headers`)
  const ownSender = options.sender === undefined
  const sender =
    partOption(
      options.sender,
      'send',
      `${path}.sender`,
      'it needs a method send(request, pool, over)',
    ) ?? httpMirrorSender({ maxConnections: most }, path)
  const key = {}
  const counts = {
    sent: 0,
    answered: 0,
    dropped: 0,
    tooLong: 0,
    unfinished: 0,
    noBackend: 0,
    failed: 0,
    timedOut: 0,
  }
  const copies = new Set<Copy>()
  let use: Disposable | undefined
  let closed = false

  /** The copy of an exchange, begun when it is first asked for; null when there is none. */
  function copyOf(x: Exchange): Copy | null {
    const known = x.recall(key)
    if (known !== undefined) return known as Copy | null
    const copy = wanted(x) ? begin(x) : null
    x.remember(key, copy)
    return copy
  }

  function wanted(x: Exchange): boolean {
    const { request } = x
    if (closed || request.method === 'CONNECT' || request.header('upgrade') !== undefined) {
      return false
    }
    if ((percent < 100 && random() * 100 >= percent) || !match(x)) return false
    if (request.bodyLength > maxBodyBytes) {
      counts.tooLong += 1
      return false
    }
    if (copies.size >= most) {
      counts.dropped += 1
      x.flag('mirror-dropped')
      return false
    }
    return true
  }

  function begin(x: Exchange): Copy {
    use ??= pool.use()
    const copy: Copy = {
      head: undefined,
      pieces: [],
      size: 0,
      whole: x.request.bodyLength === 0,
      call: undefined,
      sent: false,
    }
    copies.add(copy)
    return copy
  }

  function drop(copy: Copy): void {
    copies.delete(copy)
    copy.pieces.length = 0
  }

  function sendWhenReady(copy: Copy, x: Exchange): void {
    const { head } = copy
    if (head === undefined || !copy.whole || copy.sent || !copies.has(copy)) return
    copy.sent = true
    counts.sent += 1
    x.flag('mirrored')
    const over = (outcome: MirrorOutcome, error?: unknown): void => {
      if (!copies.delete(copy)) return
      count(outcome)
      if (error !== undefined) {
        x.log.debug({ error, outcome, pool: pool.name }, 'a mirrored request failed')
      }
    }
    const { pieces, size } = copy
    const body = size === 0 ? undefined : Buffer.concat(pieces, size)
    copy.pieces = []
    const { clock } = x
    const { client } = x.request
    try {
      const call = sender.send({ ...head, body, client, timeoutMs, clock }, pool, over)
      if (copies.has(copy)) copy.call = call
    } catch (error) {
      over('failed', error)
    }
  }

  function count(outcome: MirrorOutcome): void {
    if (outcome === 'answered') counts.answered += 1
    else if (outcome === 'no-backend') counts.noBackend += 1
    else if (outcome === 'timeout') counts.timedOut += 1
    else if (outcome === 'failed') counts.failed += 1
  }

  return {
    name: 'mirror',
    counts,
    get active() {
      return copies.size
    },

    requestBody(x) {
      const copy = copyOf(x)
      if (copy === null) return undefined
      const tap = {
        take(bytes: Uint8Array): void {
          if (!copies.has(copy)) return
          copy.size += bytes.length
          if (copy.size <= maxBodyBytes) {
            copy.pieces.push(new Uint8Array(bytes))
            return
          }
          counts.tooLong += 1
          drop(copy)
        },
        whole(): void {
          copy.whole = true
          sendWhenReady(copy, x)
        },
      }
      return Object.assign((sink: BodySink) => new BodyTap(sink, tap), { unchanged: true })
    },

    upstreamHead(head, x) {
      const copy = copyOf(x)
      if (copy === null || copy.head !== undefined) return
      copy.head = copiedHead(head, suffix, marks)
      sendWhenReady(copy, x)
    },

    done(_record, x) {
      const copy = x.recall(key) as Copy | null | undefined
      if (copy === null || copy === undefined || copy.sent || !copies.has(copy)) return
      counts.unfinished += 1
      drop(copy)
    },

    close() {
      closed = true
      for (const { call } of [...copies]) call?.cancel()
      copies.clear()
      if (ownSender) sender.close()
      use?.[Symbol.dispose]()
      use = undefined
    },
  }
}

const all = (): boolean => true

/** A copy in the making, or under way. */
interface Copy {
  head: CopiedHead | undefined
  pieces: Uint8Array[]
  size: number
  whole: boolean
  call: MirrorCall | undefined
  sent: boolean
}

function requiredPool({ pool }: MirrorOptions, path: string): Pool {
  const advice = 'make one with pool()'
  if (pool === undefined) throw invalidOption(`${path}.pool`, `is missing: ${advice}`)
  return partOption(pool, 'slotOf', `${path}.pool`, advice)
}

function suffixOption(value: string, path: string): string {
  if (typeof value === 'string' && /^[0-9a-z-]{0,40}$/i.test(value)) return value
  throw invalidOption(path, `${shown(value)} is no part of a host name`)
}
