import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isSteelyardError, type Logger, SteelyardError } from '@steelyard/core'
import { parseEndpoint } from '@steelyard/core/ip'
import { questionFrom } from '../explain/question.ts'
import type { AdminTarget, Outcome } from './admin-target.ts'
import { listenAt } from './listen-at.ts'
import { overrideOf } from './override-body.ts'

/** The admin endpoint: health, status, metrics, and the verbs of the command line. */
export interface AdminServer extends AsyncDisposable {
  /** `http://127.0.0.1:9901` or `unix:/path`. */
  readonly address: string
  /** Health, status and metrics only, or the changing verbs too. */
  setReadOnly(readOnly: boolean): void
}

/** How to serve. */
export interface AdminServerOptions {
  /** `host:port` or `unix:/path`. */
  readonly listen: string
  /** Health, status and metrics only. */
  readonly readOnly: boolean
  readonly target: AdminTarget
  readonly log: Logger
}

/** How long requests that are being answered may take when the endpoint closes. */
const closeWithinMs = 1000

/** Connections at one time. */
const mostConnections = 1000

/** A document of this many bytes at most. */
const bodyLimit = 4 * 1024 ** 2

type Handler = (request: IncomingMessage, parts: readonly string[]) => Reply | Promise<Reply>

interface Reply {
  readonly status: number
  readonly body: string
  readonly type: string
}

/**
 * Starts the admin endpoint. It asks for no credentials, so it must listen on loopback or on a unix
 * socket; requests that a web page may have sent (an `Origin`, or a `Host` that is a name other than
 * localhost) are refused, so that a browser on the same machine is no way in.
 */
export async function adminServer({
  listen,
  readOnly,
  target,
  log,
}: AdminServerOptions): Promise<AdminServer> {
  const endpoint = parseEndpoint(listen, 'admin.listen')
  const reading = readingRoutes(target)
  const all = new Map([...reading, ...changingRoutes(target)])
  let routes = readOnly ? reading : all
  const server = createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000 },
    (request, response) => {
      answer({ routes, all }, request, response, endpoint.path !== undefined).catch(
        (error: unknown) => {
          log.error({ error: String(error), url: request.url }, 'admin request failed')
          send(
            response,
            json(500, { code: 'internal', message: 'the request failed; the log says why' }),
          )
        },
      )
    },
  )
  await listenAt(server, endpoint)
  server.maxConnections = mostConnections
  return {
    address: endpoint.path === undefined ? `http://${endpoint.text}` : endpoint.text,
    setReadOnly(only) {
      routes = only ? reading : all
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      const deadline = setTimeout(() => server.closeAllConnections(), closeWithinMs)
      await closed
      clearTimeout(deadline)
    },
  }
}

function readingRoutes(target: AdminTarget): ReadonlyMap<string, Handler> {
  return new Map<string, Handler>([
    ['GET /healthz', () => text(200, 'ok\n')],
    [
      'GET /readyz',
      () => {
        const { ready, notes } = target.readiness()
        const lines = [ready ? 'ready' : 'not ready', ...notes]
        return text(ready ? 200 : 503, `${lines.join('\n')}\n`)
      },
    ],
    ['GET /status', () => json(200, target.status())],
    [
      'POST /explain',
      async (request) =>
        json(200, await target.explain(questionFrom((await bodyOf(request)).toString('utf8')))),
    ],
    [
      'GET /metrics',
      () => ({
        status: 200,
        body: target.metrics(),
        type: 'text/plain; version=0.0.4; charset=utf-8',
      }),
    ],
  ])
}

function changingRoutes(target: AdminTarget): ReadonlyMap<string, Handler> {
  return new Map<string, Handler>([
    ['POST /plan', async (request) => outcome(await target.plan(await bodyOf(request)))],
    ['POST /apply', async (request) => outcome(await target.apply(await bodyOf(request)))],
    [
      'POST /pools/*/members/*',
      async (request, [pool = '', member = '']) =>
        outcome(
          target.override(pool, member, overrideOf((await bodyOf(request)).toString('utf8'))),
        ),
    ],
    [
      'DELETE /pools/*/members/*',
      (_request, [pool = '', member = '']) => outcome(target.undo(pool, member)),
    ],
  ])
}

interface Routes {
  /** Those that are open now. */
  readonly routes: ReadonlyMap<string, Handler>
  readonly all: ReadonlyMap<string, Handler>
}

async function answer(
  { routes, all }: Routes,
  request: IncomingMessage,
  response: ServerResponse,
  unix: boolean,
): Promise<void> {
  const { method = 'GET', headers } = request
  if (headers.origin !== undefined || (!unix && !isLocalName(headers.host))) {
    return send(
      response,
      json(403, {
        code: 'forbidden',
        message:
          'the admin endpoint answers no web pages: ask it by its IP address or as localhost',
      }),
    )
  }
  const segments = (request.url ?? '/').split('?')[0]!.split('/').slice(1)
  const isMember = segments.length === 4 && segments[0] === 'pools' && segments[2] === 'members'
  const path = isMember ? '/pools/*/members/*' : `/${segments.join('/')}`
  const route = `${method === 'HEAD' ? 'GET' : method} ${path}`
  const handler = routes.get(route)
  if (handler === undefined) {
    if (all.has(route)) {
      const message = 'the admin endpoint of this node is read only: "admin.readOnly" is true'
      return send(response, json(403, { code: 'read-only', message }))
    }
    const known = [...routes.keys()]
      .filter((route) => route.endsWith(` ${path}`))
      .map((route) => route.split(' ')[0])
    if (known.length > 0) {
      response.setHeader('allow', known.join(', '))
      return send(
        response,
        json(405, { code: 'method-not-allowed', message: `use ${known.join(' or ')}` }),
      )
    }
    return send(
      response,
      json(404, { code: 'not-found', message: `there are ${[...routes.keys()].join(', ')}` }),
    )
  }
  try {
    send(
      response,
      await handler(request, isMember ? [decoded(segments[1]!), decoded(segments[3]!)] : []),
    )
  } catch (error) {
    if (!isSteelyardError(error)) throw error
    send(response, json(statusOf(error.code), { code: error.code, message: error.message }))
  }
}

function statusOf(code: string): number {
  if (code.startsWith('no-such')) return 404
  return code === 'too-large' ? 413 : code === 'draining' ? 503 : 400
}

function isLocalName(host: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d+$/, '')
  return name === 'localhost' || name.startsWith('[') || /^[\d.]+$/.test(name)
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (cause) {
    throw new SteelyardError(`"${segment}" is no valid part of a path`, {
      code: 'invalid-path',
      source: 'client',
      cause,
    })
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > bodyLimit) {
      throw new SteelyardError(`the body is longer than ${bodyLimit} bytes`, {
        code: 'too-large',
        source: 'client',
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function outcome({ ok, body }: Outcome): Reply {
  return json(ok ? 200 : 422, body)
}

function json(status: number, body: unknown): Reply {
  return { status, body: `${JSON.stringify(body, null, 2)}\n`, type: 'application/json' }
}

function text(status: number, body: string): Reply {
  return { status, body, type: 'text/plain; charset=utf-8' }
}

function send(response: ServerResponse, { status, body, type }: Reply): void {
  if (response.headersSent) return void response.end()
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}
