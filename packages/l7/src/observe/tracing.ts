import { randomFillSync } from 'node:crypto'
import {
  type Backend,
  flagOption,
  functionOption,
  invalidOption,
  objectOption,
  parseSize,
  partOption,
  type Size,
  shown,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import type { RequestEditor, ResponseEditor } from '../exchange/field-editor.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { wordOption } from '../filters/number-option.ts'
import { type RandomBytes, type RandomIds, randomIds } from './random-ids.ts'
import { attemptAttributes, outcomeAttributes, serverAttributes } from './span-attributes.ts'
import {
  parseTraceParent,
  randomFlag,
  readTraceState,
  sampledFlag,
  type TraceParent,
  traceParentText,
} from './trace-context.ts'
import { placeRecord, placeTrace, type TracePlace, traceOf } from './trace-of.ts'
import type { TracerPort, TraceSpan } from './tracer.ts'

/** How {@link tracing} follows requests. */
export interface TracingOptions {
  /** Who records spans. Default: nobody; the trace is only passed on. */
  readonly tracer?: TracerPort
  /** How the trace is told to members: `w3c` by `traceparent` and `tracestate`. Default `w3c`. */
  readonly propagate?: 'w3c'
  /**
   * The share of traces that begin here and are recorded, 0 to 1. Which ones follows from the trace's id, so that others
   * who sample by it choose the same. Traces of trusted callers are recorded when the caller records them. Default 1.
   */
  readonly sample?: number
  /** Whose traces are continued: `trusted`: those of peers in `trustedProxies`; `true`: everybody's; `false`: nobody's. Default `trusted`. */
  readonly trustIncoming?: boolean | 'trusted'
  /** Tells clients their trace: in a `traceresponse` field, or as `traceparent` in Server-Timing. Default `none`. */
  readonly respond?: 'none' | 'traceresponse' | 'server-timing'
  /** Characters of `tracestate` that are passed on. Default 512. */
  readonly stateBytes?: Size
  /** Spans carry the request's query, which may hold secrets. Default `false`. */
  readonly query?: boolean
  /** Default: the system's source. */
  readonly random?: RandomBytes
}

/** A filter that follows requests through a system. */
export interface Tracing extends HttpFilter {
  /** An exchange's place in its trace; begins or continues the trace when that was not done yet. */
  placeOf(x: Exchange): TracePlace
}

/** Attempts of one exchange that get spans of their own; further ones are sent on under the exchange's. */
const mostSpans = 32

/** An attempt that was begun. */
interface AttemptSpan {
  readonly backend: Backend | undefined
  readonly span: TraceSpan
  /** Wall-clock milliseconds of the next attempt's begin. */
  until: number
}

/** A place, and what must be known until the end. */
interface TraceState extends TracePlace {
  readonly flags: number
  readonly traceState: string | undefined
  /** The client's `tracestate` lines may go on as they came. */
  readonly stateAsItCame: boolean
  readonly span: TraceSpan | undefined
  readonly spans: AttemptSpan[]
}

/**
 * Follows requests by W3C Trace Context (Level 2): continues the trace of a trusted caller or begins one, tells each
 * attempt's span to the member, and gives spans of sampled traces to a {@link TracerPort}: one of kind `server` for the
 * exchange, one of kind `client` for each attempt. The access log finds the trace's id by {@link traceOf}.
 *
 * A `traceparent` that is not valid, or not trusted, is replaced, and its `tracestate` removed. A tracer that throws is
 * logged and otherwise disregarded.
 *
 * Beside it, `node:diagnostics_channel` tells of exchanges without any filter: `steelyard:http:exchange` has each
 * {@link ExchangeRecord} when it is over.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function tracing(options: TracingOptions = {}, path = 'tracing'): Tracing {
  const { sample = 1, trustIncoming = 'trusted' } = objectOption(options, path)
  if (typeof sample !== 'number' || !(sample >= 0 && sample <= 1)) {
    throw invalidOption(`${path}.sample`, `${shown(sample)} is no share: use a number from 0 to 1`)
  }
  if (trustIncoming !== 'trusted') flagOption(trustIncoming, `${path}.trustIncoming`)
  wordOption(options.propagate ?? 'w3c', ['w3c'], `${path}.propagate`)
  const respond = wordOption(
    options.respond ?? 'none',
    ['none', 'traceresponse', 'server-timing'],
    `${path}.respond`,
  )
  const stateBytes = parseSize(options.stateBytes ?? 512, `${path}.stateBytes`)
  if (stateBytes > 8192) throw invalidOption(`${path}.stateBytes`, 'must not be above 8KiB')
  const tracer = partOption(
    options.tracer,
    'startSpan',
    `${path}.tracer`,
    'it needs a method startSpan(name, start)',
  )
  const fill = functionOption(
    options.random ?? ((bytes: Uint8Array<ArrayBuffer>) => void randomFillSync(bytes)),
    `${path}.random`,
  )
  return makeTracing({
    tracer,
    ids: randomIds(fill),
    least: (1 - sample) * 2 ** 48,
    trustIncoming,
    stateBytes,
    withQuery: flagOption(options.query ?? false, `${path}.query`),
    respond,
  })
}

interface Settings {
  readonly tracer: TracerPort | undefined
  readonly ids: RandomIds
  /** Traces whose random part is below this are not recorded. */
  readonly least: number
  readonly trustIncoming: boolean | 'trusted'
  readonly stateBytes: number
  readonly withQuery: boolean
  readonly respond: 'none' | 'traceresponse' | 'server-timing'
}

function makeTracing(settings: Settings): Tracing {
  const { tracer, ids, respond } = settings
  const self: Tracing = {
    name: 'tracing',
    placeOf: stateOf,
    upstreamHead(head: RequestEditor, x: Exchange): void {
      const state = stateOf(x)
      head.set('traceparent', traceParentText(state.traceId, attemptSpan(state, x), state.flags))
      if (state.stateAsItCame) return
      if (state.traceState === undefined) head.remove('tracestate')
      else head.set('tracestate', state.traceState)
    },
    ...(respond === 'none'
      ? {}
      : {
          responseHead(head: ResponseEditor, x: Exchange): void {
            const { traceId, spanId, flags } = stateOf(x)
            const text = traceParentText(traceId, spanId, flags)
            if (respond === 'traceresponse') head.set('traceresponse', text)
            else head.add('server-timing', `traceparent;desc="${text}"`)
          },
        }),
    done(record: ExchangeRecord, x: Exchange): void {
      const state = stateOf(x)
      placeRecord(record, state)
      if (state.span !== undefined) end(state, record, x)
    },
  }

  function stateOf(x: Exchange): TraceState {
    const known = x.recall(self) as TraceState | undefined
    if (known !== undefined) return known
    // Another tracing filter, as that of a listener around that of a route, is the parent of this one.
    const state = begin(x, traceOf(x) as TraceState | undefined)
    x.remember(self, state)
    placeTrace(x, state)
    return state
  }

  function begin(x: Exchange, outer: TraceState | undefined): TraceState {
    const incoming = outer === undefined ? incomingParent(x, settings.trustIncoming) : undefined
    const parent: TraceParent | undefined =
      outer === undefined
        ? incoming
        : { traceId: outer.traceId, parentId: outer.spanId, flags: outer.flags }
    const traceId = parent?.traceId ?? ids.traceId()
    // The 48 left-most of the 56 bits that are random: more than a number can hold exactly would not help.
    const chosen = Number.parseInt(traceId.slice(18, 30), 16) >= settings.least
    const flags = parent?.flags ?? (chosen ? sampledFlag | randomFlag : randomFlag)
    const lines = incoming === undefined ? noLines : x.request.headerAll('tracestate')
    const traceState =
      outer !== undefined
        ? outer.traceState
        : lines.length === 0
          ? undefined
          : readTraceState(lines, settings.stateBytes)
    const spanId = ids.spanId()
    const sampled = (flags & sampledFlag) !== 0
    return {
      traceId,
      spanId,
      parentId: parent?.parentId,
      sampled,
      flags,
      traceState,
      stateAsItCame: lines.length === 1 && traceState === lines[0],
      span:
        sampled && tracer !== undefined
          ? guarded(x, () =>
              tracer.startSpan(nameOf(x.request.method, x.route), {
                traceId,
                spanId,
                parentId: parent?.parentId,
                remoteParent: incoming !== undefined,
                kind: 'server',
                startTime: wallAt(x, x.startedAt),
                attributes: serverAttributes(x, settings.withQuery),
              }),
            )
          : undefined,
      spans: [],
    }
  }

  /** Begins the span of an attempt, and says its id. */
  function attemptSpan(state: TraceState, x: Exchange): string {
    const { spans } = state
    // Without spans the exchange's own id is the one that our records tell.
    if (state.span === undefined || tracer === undefined || spans.length >= mostSpans) {
      return state.spanId
    }
    const { backend } = x
    const spanId = ids.spanId()
    const startTime = wallAt(x, x.clock.now())
    const last = spans.at(-1)
    if (last !== undefined) last.until = startTime
    const span = guarded(x, () =>
      tracer.startSpan(x.request.method, {
        traceId: state.traceId,
        spanId,
        parentId: state.spanId,
        remoteParent: false,
        kind: 'client',
        startTime,
        attributes: backend === undefined ? {} : attemptAttributes(x, backend),
      }),
    )
    if (span === undefined) return state.spanId
    spans.push({ backend, span, until: -1 })
    return spanId
  }

  return self
}

const noLines: readonly string[] = Object.freeze([])

function incomingParent(x: Exchange, trust: boolean | 'trusted'): TraceParent | undefined {
  if (trust === false || (trust === 'trusted' && !x.connection.trusted)) return undefined
  const lines = x.request.headerAll('traceparent')
  return lines.length === 1 ? parseTraceParent(lines[0]!) : undefined
}

/** Ends the spans of an exchange: which attempt made the answer is known only now. */
function end(state: TraceState, record: ExchangeRecord, x: Exchange): void {
  const now = wallAt(x, x.clock.now())
  const { backend, backendStatus, error, flags } = record
  const hedged = flags.includes('hedged')
  const { spans } = state
  let last: AttemptSpan | undefined
  for (const attempt of spans) if (attempt.backend?.id === backend) last = attempt
  last ??= spans.at(-1)
  for (const attempt of spans) {
    guarded(x, () => {
      const { span } = attempt
      if (attempt === last) {
        if (backendStatus > 0) span.setAttribute('http.response.status_code', backendStatus)
        const failed = backendStatus === 0 || backendStatus >= 400
        if (failed) {
          span.setAttribute('error.type', errorType(backendStatus, error?.code ?? record.reason))
        }
        return span.end(failed ? 'error' : 'unset', now)
      }
      // The one that lost a race of two did not fail.
      if (!hedged) span.setAttribute('error.type', 'retried')
      span.end(hedged ? 'unset' : 'error', hedged || attempt.until < 0 ? now : attempt.until)
    })
  }
  guarded(x, () => {
    const span = state.span!
    for (const [name, value] of Object.entries(outcomeAttributes(record))) {
      span.setAttribute(name, value)
    }
    const { status } = record
    // A response that broke off has a good status all the same.
    const broken = error !== undefined && error.source !== 'client' && status < 400
    span.end(status === 0 || status >= 500 || broken ? 'error' : 'unset', now)
  })
}

function errorType(status: number, code: string): string {
  return status > 0 ? String(status) : code
}

function nameOf(method: string, route: string | undefined): string {
  return route === undefined ? method : `${method} ${route}`
}

/** Wall-clock time of a moment of the exchange's clock. */
function wallAt({ clock }: Exchange, monotonic: number): number {
  return clock.wallNow() - (clock.now() - monotonic)
}

/** A tracing system's fault must not be the request's. */
function guarded<T>(x: Exchange, call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    x.log.warn({ error, id: x.id }, 'the tracer failed')
    return undefined
  }
}
