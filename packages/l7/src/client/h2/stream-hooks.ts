import type { Http2Stream } from 'node:http2'

/** What an HTTP/2 stream tells, as methods of one object: a stream then costs no closures. */
export interface StreamHooks {
  hasData(bytes: Uint8Array): void
  /** The readable side is over, which need not mean that END_STREAM came. */
  hasEnded(): void
  hasTrailers(raw: readonly string[]): void
  hasDrained(): void
  hasClosed(): void
  /** All of what we send was given to the connection. */
  hasFinished?(): void
  /** The stream was closed before we had finished. */
  hasAborted?(): void
  /** Trailers are due. */
  wantsTrailers(): void
  hasError?(error: unknown): void
  /** A hook has thrown: nothing that a peer sends may throw out of it. */
  hasFailed(error: unknown): void
}

/** Under this symbol a stream keeps its hooks. */
const key = Symbol('hooks')
type HookedStream = Http2Stream & { [key]: StreamHooks }

/** Sets who hears of a stream, and begins to listen to what must not be missed. */
export function hook(stream: Http2Stream, hooks: StreamHooks): void {
  ;(stream as HookedStream)[key] = hooks
  stream.on('error', onError)
  stream.on('close', onClose)
  if (hooks.hasAborted !== undefined) stream.on('aborted', onAborted)
}

export function hookTrailers(stream: Http2Stream): void {
  // Node hands over the fields as they came behind what its types know.
  stream.on('trailers', onTrailers as () => void)
}

/** Lets a stream tell of its data; it does not flow before it is resumed. */
export function hookData(stream: Http2Stream): void {
  stream.on('data', onData)
  stream.on('end', onEnd)
}

export function hookDrained(stream: Http2Stream): void {
  stream.on('drain', onDrain)
}

export function hookFinished(stream: Http2Stream): void {
  stream.on('finish', onFinish)
}

export function hookWantTrailers(stream: Http2Stream): void {
  stream.on('wantTrailers', onWantTrailers)
}

/** Runs one step for a stream's hooks. */
export function guarded<H extends Pick<StreamHooks, 'hasFailed'>, A>(
  hooks: H,
  step: (hooks: H, argument: A) => void,
  argument: A,
): void {
  try {
    step(hooks, argument)
  } catch (error) {
    hooks.hasFailed(error)
  }
}

/** The hooks of a stream. */
export function hooksOf(stream: Http2Stream): StreamHooks {
  return (stream as HookedStream)[key]
}

const told = {
  data: (hooks: StreamHooks, bytes: Uint8Array): void => hooks.hasData(bytes),
  ended: (hooks: StreamHooks): void => hooks.hasEnded(),
  trailers: (hooks: StreamHooks, raw: readonly string[]): void => hooks.hasTrailers(raw),
  drained: (hooks: StreamHooks): void => hooks.hasDrained(),
  closed: (hooks: StreamHooks): void => hooks.hasClosed(),
  finished: (hooks: StreamHooks): void => hooks.hasFinished?.(),
  aborted: (hooks: StreamHooks): void => hooks.hasAborted?.(),
  wantTrailers: (hooks: StreamHooks): void => hooks.wantsTrailers(),
} as const

function onData(this: Http2Stream, bytes: Uint8Array): void {
  guarded(hooksOf(this), told.data, bytes)
}

function onEnd(this: Http2Stream): void {
  guarded(hooksOf(this), told.ended, undefined)
}

function onTrailers(this: Http2Stream, _: unknown, __: number, raw: readonly string[]): void {
  guarded(hooksOf(this), told.trailers, raw)
}

function onDrain(this: Http2Stream): void {
  guarded(hooksOf(this), told.drained, undefined)
}

function onClose(this: Http2Stream): void {
  guarded(hooksOf(this), told.closed, undefined)
}

function onFinish(this: Http2Stream): void {
  guarded(hooksOf(this), told.finished, undefined)
}

function onAborted(this: Http2Stream): void {
  guarded(hooksOf(this), told.aborted, undefined)
}

function onWantTrailers(this: Http2Stream): void {
  guarded(hooksOf(this), told.wantTrailers, undefined)
}

function onError(this: Http2Stream, error: Error): void {
  hooksOf(this).hasError?.(error)
}
