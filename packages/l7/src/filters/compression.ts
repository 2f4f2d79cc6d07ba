import {
  type Duration,
  functionOption,
  invalidOption,
  listOption,
  objectOption,
  parseDuration,
  parseSize,
  type Size,
  shown,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { ResponseEditor } from '../exchange/field-editor.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { type LinearRegex, linearRegex } from '../routing/linear-regex.ts'
import { compressibleTypes, contentTypes } from './compression/content-types.ts'
import { negotiateCoding } from './compression/negotiate.ts'
import {
  type ContentCoding,
  supportedCodings,
  zlibTransformer,
} from './compression/zlib-transform.ts'
import { wholeOption, wordOption } from './number-option.ts'
import { addVary } from './vary.ts'

/** What {@link compression} compresses, and how. */
export interface CompressionOptions {
  /** What is offered; the first wins where the client has no preference. Default: all that this Node.js has, in the order zstd, br, gzip. */
  readonly codings?: readonly ContentCoding[]
  /** How much effort. Default: gzip 5 (1 to 9), br 4 (0 to 11), zstd 3 (1 to 22). */
  readonly levels?: Readonly<Partial<Record<ContentCoding, number>>>
  /** Content types, such as `text/html`, `text/*` or `application/*+json`. Default: text, JSON, XML, scripts, fonts and images that are not compressed already. */
  readonly types?: readonly string[]
  /** Shorter bodies stay as they are; one of unknown length counts as long. Default 1024. */
  readonly minBytes?: Size
  /** What a backend sent reaches the client after this time at the latest, even if it does not fill a block; 0 for at once. Server-sent events always go at once. Default `10ms`. */
  readonly flushAfter?: Duration
  /** Clients that speak an older version get bodies as they are. Default `HTTP/1.1`. */
  readonly minVersion?: 'HTTP/1.0' | 'HTTP/1.1'
  /** Patterns in RE2's syntax, in any case: clients whose User-Agent matches one get bodies as they are. Default: none. */
  readonly exceptAgents?: readonly string[]
  /** Bodies compressed at one time; beyond it they stay as they are. Default 1024: each takes up to a megabyte. */
  readonly maxActive?: number
  /** Has the last word: false leaves a response as it is. Default: always true. */
  readonly when?: (x: Exchange, head: ResponseEditor) => boolean
}

/** A filter that compresses, and its state. */
export interface Compression extends HttpFilter {
  /** Bodies that are being compressed. */
  readonly active: number
}

/** Of representations: none of them is true of the compressed one. */
const spoiled = ['accept-ranges', 'content-md5', 'digest', 'content-digest', 'repr-digest'] as const

const levelBounds: Readonly<Record<ContentCoding, readonly [least: number, most: number]>> = {
  gzip: [1, 9],
  br: [0, 11],
  zstd: [1, 22],
}

/**
 * Compresses what backends send, for clients that want it (RFC 9110 section 12.5.3). Leaves alone what has a content
 * coding already, what says `Cache-Control: no-transform`, parts of a range, and statuses without a body. Strong
 * entity tags become weak ones, since the bytes differ; digests go; `Vary: Accept-Encoding` is added whenever the
 * client's wish could have made a difference.
 *
 * A page that shows a secret and something the client can choose, both compressed, leaks the secret by its length over
 * TLS (BREACH, CVE-2013-3587). Leave such pages out with {@link CompressionOptions.when} or a route of their own.
 *
 * @example
 * ```ts
 * import { compression } from '@steelyard/l7'
 *
 * const smaller = compression({ codings: ['br', 'gzip'], minBytes: '2KiB' })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function compression(options: CompressionOptions = {}, path = 'compression'): Compression {
  objectOption(options, path)
  const codings = codingsOf(options, path)
  const levels = levelsOf(options, path)
  const types = contentTypes(options.types ?? compressibleTypes, `${path}.types`)
  const minBytes = parseSize(options.minBytes ?? 1024, `${path}.minBytes`)
  const flushMs = parseDuration(options.flushAfter ?? '10ms', `${path}.flushAfter`)
  const minVersion = wordOption(
    options.minVersion ?? 'HTTP/1.1',
    ['HTTP/1.0', 'HTTP/1.1'],
    `${path}.minVersion`,
  )
  const agents = listOption(options.exceptAgents ?? [], `${path}.exceptAgents`).map(
    (pattern, index) =>
      linearRegex(pattern, { ignoreCase: true, path: `${path}.exceptAgents[${index}]` }),
  )
  const maxActive = wholeOption(
    options.maxActive ?? 1024,
    `${path}.maxActive`,
    1,
    1_000_000,
    'bound',
  )
  const when = options.when === undefined ? always : functionOption(options.when, `${path}.when`)
  let active = 0

  function eligible(head: ResponseEditor, x: Exchange): boolean {
    const { status, bodyLength } = head
    return (
      status !== 204 &&
      status !== 205 &&
      status !== 206 &&
      status !== 304 &&
      (bodyLength < 0 || (bodyLength > 0 && bodyLength >= minBytes)) &&
      !head.has('content-encoding') &&
      !head.has('content-range') &&
      !forbidsTransform(head.all('cache-control')) &&
      !forbidsTransform(x.request.headerAll('cache-control')) &&
      compressible(head.get('content-type')) &&
      when(x, head)
    )
  }

  function compressible(contentType: string | undefined): boolean {
    // gRPC compresses each message by itself, and its clients know no content coding.
    return types.has(contentType) && !/^\s*application\/grpc/i.test(contentType!)
  }

  return {
    name: 'compression',
    get active() {
      return active
    },

    /** A client that holds our compressed representation has its weak tag: the confirmation must say the same one. */
    responseHead(head, x) {
      if (head.status !== 304) return
      const tag = head.get('etag')
      if (tag === undefined || !tag.startsWith('"')) return
      const held = x.request.headerAll('if-none-match')
      if (!held.some((line) => line.includes(`W/${tag}`))) return
      head.set('etag', `W/${tag}`)
      addVary(head, 'Accept-Encoding')
    },

    responseBody(head, x) {
      if (!eligible(head, x)) return undefined
      addVary(head, 'Accept-Encoding')
      const { request } = x
      if (request.version === 'HTTP/1.0' && minVersion === 'HTTP/1.1') return undefined
      const accept = request.headerAll('accept-encoding')
      const coding = negotiateCoding(accept.length === 0 ? undefined : accept.join(','), codings)
      if (coding === undefined || active >= maxActive) return undefined
      if (agents.length > 0 && isOneOf(agents, request.header('user-agent'))) return undefined
      const length = head.bodyLength
      const isStream = /^\s*text\/event-stream/i.test(head.get('content-type') ?? '')
      encode(head, coding)
      x.flag('compressed')
      return (sink) => {
        const transform = zlibTransformer({
          coding,
          level: levels[coding],
          clock: x.clock,
          flushMs: isStream ? 0 : flushMs,
          length,
          closed: () => {
            active -= 1
          },
        })(sink)
        active += 1
        return transform
      }
    },
  }
}

const always = (): boolean => true

function encode(head: ResponseEditor, coding: ContentCoding): void {
  head.set('content-encoding', coding)
  for (const name of spoiled) head.remove(name)
  const tag = head.get('etag')
  if (tag?.startsWith('"') === true) head.set('etag', `W/${tag}`)
}

function forbidsTransform(lines: readonly string[]): boolean {
  return lines.some((line) => /(?:^|[\s,])no-transform(?:$|[\s,;=])/i.test(line))
}

function isOneOf(agents: readonly LinearRegex[], agent: string | undefined): boolean {
  // Longer than any browser's, and than what a pattern may be asked about.
  const text = agent?.slice(0, 2048)
  return text !== undefined && agents.some((pattern) => pattern.test(text))
}

function codingsOf(options: CompressionOptions, path: string): readonly ContentCoding[] {
  const here = supportedCodings()
  const { codings = here } = options
  if (listOption(codings, `${path}.codings`).length === 0) {
    throw invalidOption(`${path}.codings`, 'needs one coding at least')
  }
  codings.forEach((coding, index) => {
    const at = `${path}.codings[${index}]`
    wordOption(coding, ['gzip', 'br', 'zstd'], at)
    if (!here.includes(coding)) {
      throw invalidOption(at, `this Node.js has no ${coding}: leave it out or use a newer one`)
    }
    if (codings.indexOf(coding) !== index) throw invalidOption(at, `${coding} is named twice`)
  })
  return Object.freeze([...codings])
}

function levelsOf(
  options: CompressionOptions,
  path: string,
): Readonly<Record<ContentCoding, number>> {
  const levels: Record<ContentCoding, number> = { gzip: 5, br: 4, zstd: 3 }
  for (const [name, level] of Object.entries(
    objectOption(options.levels ?? {}, `${path}.levels`),
  )) {
    if (level === undefined) continue
    if (!Object.hasOwn(levelBounds, name)) {
      throw invalidOption(`${path}.levels`, `${shown(name)} is none of gzip, br, zstd`)
    }
    const coding = name as ContentCoding
    levels[coding] = wholeOption(level, `${path}.levels.${coding}`, ...levelBounds[coding], 'level')
  }
  return levels
}
