import { type Clock, SteelyardError } from '@steelyard/core'

/** What {@link boundedFetch} came back with. */
export interface FetchedAnswer {
  readonly status: number
  /** Names in lower case; `set-cookie` a line each. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
  /** The body was longer than wanted, and is not there. */
  readonly tooLong: boolean
}

/** How {@link boundedFetch} asks. */
export interface BoundedFetchOptions {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly maxBody: number
  readonly clock: Clock
  readonly signal?: AbortSignal
}

/**
 * Asks an HTTP service, and waits no longer and reads no more than it was told. Redirects are answers like others.
 *
 * @throws `auth-service-failed` when there is no answer, or none in time.
 */
export async function boundedFetch(
  url: string,
  options: BoundedFetchOptions,
): Promise<FetchedAnswer> {
  const { method, headers, timeoutMs, maxBody, clock, signal } = options
  const controller = new AbortController()
  const timer = clock.after(timeoutMs, () =>
    controller.abort(new Error(`no answer within ${timeoutMs} ms`)),
  )
  const given = (): void => controller.abort(signal?.reason)
  signal?.addEventListener('abort', given)
  try {
    if (signal?.aborted === true) given()
    const response = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: controller.signal,
    })
    const body = await bodyOf(response, maxBody)
    return {
      status: response.status,
      headers: [...response.headers],
      body: body ?? new Uint8Array(0),
      tooLong: body === undefined,
    }
  } catch (error) {
    throw new SteelyardError(`${method} ${url} failed`, {
      code: 'auth-service-failed',
      source: 'system',
      retryable: true,
      cause: controller.signal.aborted ? controller.signal.reason : error,
    })
  } finally {
    timer[Symbol.dispose]()
    signal?.removeEventListener('abort', given)
  }
}

/** Undefined when it is longer. */
async function bodyOf(response: Response, most: number): Promise<Uint8Array | undefined> {
  if (response.body === null) return new Uint8Array(0)
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of response.body as AsyncIterable<Uint8Array>) {
    length += piece.length
    // Leaving the loop cancels the rest.
    if (length > most) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces, length)
}
