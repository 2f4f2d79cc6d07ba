import type { ClientRequest, IncomingMessage } from 'node:http'
import { isForbiddenTrailer } from '../wire/trailer-names.ts'

/** What happens while a body is pumped. */
export interface PumpEvents {
  /** Something moved. */
  moved(chunk: Uint8Array): void
  /** All of it was handed over. */
  done(): void
  /** The source broke, or the sink refuses what comes: more or less than was announced. */
  failed(error: Error, bySource: boolean): void
}

/** A body on its way from a client to a target. */
export interface BodyPump {
  /** It is not the sink that is waited for. */
  readonly waitsForSource: boolean
  /** Lets go of both; nothing is called any more. */
  stop(): void
}

/**
 * Pumps a request's body. Not `pipe()`: a sink that throws, because the body is not as long as announced, must end this
 * exchange and nothing else.
 *
 * @param mostBuffered - a sink that is slower than its sibling may hold so many bytes before it is given up; undefined:
 * the source waits for the sink.
 */
export function pumpBody(
  source: NodeJS.ReadableStream,
  sink: ClientRequest,
  events: PumpEvents,
  mostBuffered?: number,
): BodyPump {
  let over = false
  let blocked = false

  const pump: BodyPump = {
    get waitsForSource() {
      return !blocked
    },
    stop() {
      if (over) return
      over = true
      source.removeListener('data', onData)
      source.removeListener('end', onEnd)
      source.removeListener('close', onClose)
      sink.removeListener('drain', onDrain)
      // The error listener stays: a stream that breaks afterwards must find one.
    },
  }

  function onData(chunk: Uint8Array | string): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    events.moved(bytes)
    if (over) return
    attempt(() => {
      if (sink.write(bytes) || over) return
      if (mostBuffered === undefined) {
        blocked = true
        source.pause()
      } else if (sink.writableLength > mostBuffered) {
        fail(new Error('the copy of the request is taken too slowly'), false)
      }
    })
  }

  function onDrain(): void {
    blocked = false
    source.resume()
  }

  function onEnd(): void {
    if (over) return
    attempt(() => {
      addTrailers(source, sink)
      sink.end()
    })
    if (over) return
    pump.stop()
    events.done()
  }

  function onClose(): void {
    fail(
      Object.assign(new Error('the request ended before its body'), { code: 'ECONNRESET' }),
      true,
    )
  }

  function attempt(task: () => void): void {
    try {
      task()
    } catch (error) {
      fail(error as Error, false)
    }
  }

  function fail(error: Error, bySource: boolean): void {
    if (over) return
    pump.stop()
    events.failed(error, bySource)
  }

  const { readableEnded, destroyed } = source as Partial<IncomingMessage>
  source.on('error', (error: Error) => fail(error, true))
  if (sink.writableEnded) {
    pump.stop()
    events.done()
  } else if (readableEnded === true) {
    // Somebody has read it already, and perhaps written something else.
    onEnd()
  } else if (destroyed === true) {
    queueMicrotask(onClose)
  } else {
    source.on('data', onData)
    source.once('end', onEnd)
    source.once('close', onClose)
    if (mostBuffered === undefined) sink.on('drain', onDrain)
    source.resume()
  }
  return pump
}

function addTrailers(source: NodeJS.ReadableStream, sink: ClientRequest): void {
  const { rawTrailers = [] } = source as Partial<IncomingMessage>
  const kept = allowedTrailers(rawTrailers)
  if (kept.length > 0 && sink.hasHeader('transfer-encoding')) sink.addTrailers(kept)
}

/** Trailers without those that mean something dangerous behind a body, as pairs. */
export function allowedTrailers(raw: readonly string[]): [string, string][] {
  const kept: [string, string][] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (!isForbiddenTrailer(raw[i]!)) kept.push([raw[i]!, raw[i + 1]!])
  }
  return kept
}
