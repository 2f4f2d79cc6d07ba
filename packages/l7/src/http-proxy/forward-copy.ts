import type { ClientRequest, IncomingMessage } from 'node:http'
import type { RequestHead } from '../wire/request-head.ts'
import { type BodyPump, pumpBody } from './body-pump.ts'
import type { ExchangeHost, OpenExchange } from './exchange-host.ts'
import { framingOf, outgoingHeaders } from './outgoing-headers.ts'
import { outgoingPath } from './outgoing-path.ts'
import { newProxyError, type ProxyError, proxyError } from './proxy-error.ts'
import type { ProxySettings } from './settings.ts'
import type { Target } from './target.ts'
import { upstreamRequest } from './upstream-request.ts'

/** A copy of a request on its way to where nobody waits for the answer. */
export interface ForwardCopy {
  /** Begins to copy the body. */
  pump(): void
  /** Gives it up. */
  stop(): void
}

/** Bytes that a copy may lag behind the request itself. */
const mostBehind = 1_048_576

/**
 * Sends a copy of a request to `forward`. Its answer is thrown away, and its failure is an event of its own: the client
 * is answered by somebody else.
 *
 * @param alone - there is no target: the client's body waits for this one.
 */
export function forwardCopy(
  host: ExchangeHost,
  req: IncomingMessage,
  url: string,
  head: RequestHead,
  target: Target,
  settings: ProxySettings,
  alone: boolean,
): ForwardCopy | undefined {
  const method = settings.method ?? head.method
  const framing = framingOf(head, method, settings.buffer !== undefined)
  let request: ClientRequest
  let pump: BodyPump | undefined
  let over = false
  const handle: OpenExchange = { destroy: () => finish() }

  function finish(error?: ProxyError): void {
    if (over) return
    over = true
    timer?.[Symbol.dispose]()
    pump?.stop()
    host.open.delete(handle)
    request?.destroy()
    if (error !== undefined) host.server.emit('forwardError', error, req, target.given)
  }

  const limit = settings.proxyTimeout ?? 120_000
  const timer =
    limit === 0
      ? undefined
      : settings.clock.after(limit, () =>
          finish(
            newProxyError(
              'the copy of the request was not answered in time',
              'ECONNRESET',
              'first-byte-timeout',
              'backend',
              'response-head',
            ),
          ),
        )
  try {
    request = upstreamRequest({
      target,
      method,
      path: outgoingPath(url, target, settings),
      headers: outgoingHeaders(req, head, target, settings, framing),
      settings,
      agents: host.agents,
      fresh: false,
    })
  } catch (error) {
    finish(proxyError(error, 'hook-failed', 'config', 'request'))
    return undefined
  }
  host.open.add(handle)
  request.on('error', (error) => finish(proxyError(error, 'connect-failed', 'backend', 'connect')))
  request.on('response', (answer) => {
    answer.on('error', (error) =>
      finish(proxyError(error, 'backend-reset', 'backend', 'response-body')),
    )
    answer.on('close', () => finish())
    answer.resume()
  })
  if (!framing.hasBody) request.end()

  return {
    pump() {
      if (over || !framing.hasBody) return
      pump = pumpBody(
        settings.buffer ?? req,
        request,
        {
          moved: () => undefined,
          done: () => undefined,
          failed: (error, bySource) =>
            finish(
              proxyError(
                error,
                bySource ? 'client-aborted' : 'backend-reset',
                bySource ? 'client' : 'backend',
                'request-body',
              ),
            ),
        },
        alone ? undefined : mostBehind,
      )
    },
    stop: () => finish(),
  }
}
