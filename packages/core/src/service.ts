import { type Duration, parseDuration } from './duration.ts'
import { isSteelyardError, SteelyardError } from './errors.ts'

/** How to start. */
export interface StartOptions {
  /** Gives up starting; what was opened is closed again. */
  readonly signal?: AbortSignal
}

/** How to stop. */
export interface StopOptions {
  /** How long work in flight may go on. Default: the service's own `drain` option. `0` cuts at once. */
  readonly drain?: Duration
  /** Cuts what is left as soon as it aborts, before the drain time is over. */
  readonly signal?: AbortSignal
}

/** Anything with a lifetime. Each verb works once: later calls return the first promise. */
export interface Service extends AsyncDisposable {
  /** Opens sockets, timers and the like. Rejects with `stopped` after a stop. */
  start(options?: StartOptions): Promise<this>
  /** Takes nothing new, lets work in flight end within the drain time, then cuts. Never rejects for what it cut. */
  stop(options?: StopOptions): Promise<void>
  /** Resolves when the service has stopped, with the failure that ended it if there was one; never rejects. */
  readonly closed: Promise<SteelyardError | undefined>
}

/** What a service does at the two ends of its life; {@link lifecycle} sees to once-only and order. */
export interface LifecycleSteps {
  /** Opens everything, or throws and leaves nothing open. */
  open(signal: AbortSignal | undefined): Promise<void>
  /** Closes everything; waits `drainMs` at most for work in flight, less when the signal aborts. */
  close(drainMs: number, signal: AbortSignal | undefined): Promise<void>
}

/** The once-only guard that services compose. */
export interface Lifecycle {
  readonly state: 'idle' | 'starting' | 'running' | 'stopping' | 'stopped'
  readonly closed: Promise<SteelyardError | undefined>
  start(options?: StartOptions): Promise<void>
  stop(options?: StopOptions): Promise<void>
  /** The service broke down: remember why, and stop without drain. */
  fail(error: SteelyardError): void
}

/** Makes start and stop once-only, ordered and safe to race: a stop during a start waits for it, then closes. */
export function lifecycle(name: string, defaultDrainMs: number, steps: LifecycleSteps): Lifecycle {
  let state: Lifecycle['state'] = 'idle'
  let started: Promise<void> | undefined
  let stopped: Promise<void> | undefined
  let failure: SteelyardError | undefined
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<
    SteelyardError | undefined
  >()

  async function open(signal: AbortSignal | undefined): Promise<void> {
    try {
      signal?.throwIfAborted()
      await steps.open(signal)
      if (state === 'starting') state = 'running'
    } catch (error) {
      state = 'stopped'
      failure ??= isSteelyardError(error) ? error : undefined
      resolveClosed(failure)
      throw error
    }
  }

  async function close(drainMs: number, signal: AbortSignal | undefined): Promise<void> {
    const wasOpen = started !== undefined
    if (state !== 'stopped') state = 'stopping'
    try {
      const opened = await started?.then(
        () => true,
        () => false,
      )
      if (wasOpen && opened === true) await steps.close(drainMs, signal)
    } finally {
      state = 'stopped'
      resolveClosed(failure)
    }
  }

  return {
    get state() {
      return state
    },
    closed,
    start(options = {}) {
      if (stopped !== undefined) {
        return Promise.reject(
          new SteelyardError(`${name} was stopped and does not start again`, {
            code: 'stopped',
            source: 'config',
          }),
        )
      }
      if (started !== undefined) return started
      state = 'starting'
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      // Set before the steps run: a `fail` or `stop` from within them has to wait for their end.
      started = promise
      open(options.signal).then(resolve, reject)
      return started
    },
    stop({ drain, signal } = {}) {
      if (stopped !== undefined) return stopped
      let drainMs: number
      try {
        drainMs = drain === undefined ? defaultDrainMs : parseDuration(drain, 'drain')
      } catch (error) {
        // A wrong option must not count as the one stop there is.
        return Promise.reject(error)
      }
      stopped = close(drainMs, signal)
      return stopped
    },
    fail(error) {
      if (state === 'stopped') return
      failure ??= error
      if (stopped !== undefined) return
      stopped = close(0, undefined)
      // Nobody awaits this stop; whoever calls `stop` hears of its failure, and `closed` tells of the first one.
      stopped.catch(() => {})
    },
  }
}

/** Starts services in order; when one fails, those already started are stopped again in reverse order. */
export async function startAll(
  services: readonly Service[],
  options?: StartOptions,
): Promise<void> {
  const running: Service[] = []
  try {
    for (const service of services) {
      await service.start(options)
      running.push(service)
    }
  } catch (error) {
    // What fails here stays in the `stop` promise of that service; the caller needs to know why the start failed.
    await stopAll(running, { drain: 0 }).catch(() => {})
    throw error
  }
}

/** Stops services in reverse order, all of them even when one fails; then reports the first failure. */
export async function stopAll(services: readonly Service[], options?: StopOptions): Promise<void> {
  let failed = false
  let failure: unknown
  for (const service of [...services].reverse()) {
    try {
      await service.stop(options)
    } catch (error) {
      failure = failed ? failure : error
      failed = true
    }
  }
  if (failed) throw failure
}
