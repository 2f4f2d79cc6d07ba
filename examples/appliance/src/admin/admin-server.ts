import { chmod, lstat, unlink } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { isSteelyardError, type Logger, parseDuration, SteelyardError } from '@steelyard/core'
import { parseEndpoint } from '@steelyard/core/ip'
import type { AdminTarget, MemberOverride, Outcome } from './admin-target.ts'

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
  if (endpoint.path !== undefined) await removeStale(endpoint.path)
  await listening(server, endpoint)
  if (endpoint.path !== undefined) await chmod(endpoint.path, 0o660)
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
        outcome(target.override(pool, member, overrideOf(await bodyOf(request)))),
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

function overrideOf(body: string): MemberOverride {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (cause) {
    throw new SteelyardError('the body is not JSON', {
      code: 'invalid-body',
      source: 'client',
      cause,
    })
  }
  if (typeof value !== 'object' || value === null) {
    throw new SteelyardError('the body is no object', { code: 'invalid-body', source: 'client' })
  }
  const { state, weight, cutAfter, ...rest } = value as Record<string, unknown>
  const unknown = Object.keys(rest)
  if (unknown.length > 0) {
    throw new SteelyardError(`"${unknown[0]}" is not known: use state, weight, cutAfter`, {
      code: 'invalid-body',
      source: 'client',
    })
  }
  if (state !== undefined && state !== 'enabled' && state !== 'draining' && state !== 'disabled') {
    throw new SteelyardError('state is none of enabled, draining, disabled', {
      code: 'invalid-body',
      source: 'client',
    })
  }
  if (
    weight !== undefined &&
    !(Number.isInteger(weight) && Number(weight) >= 0 && Number(weight) <= 65_535)
  ) {
    throw new SteelyardError('weight is not a whole number from 0 to 65535', {
      code: 'invalid-body',
      source: 'client',
    })
  }
  if (cutAfter !== undefined && state !== 'draining' && state !== 'disabled') {
    throw new SteelyardError('cutAfter goes with the state draining or disabled only', {
      code: 'invalid-body',
      source: 'client',
    })
  }
  return {
    ...(state === undefined ? {} : { state }),
    ...(weight === undefined ? {} : { weight: Number(weight) }),
    ...(cutAfter === undefined
      ? {}
      : { cutAfterMs: parseDuration(cutAfter as string | number, 'cutAfter') }),
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
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
  return Buffer.concat(chunks).toString('utf8')
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

/** A socket file that nobody listens on any more is in the way of a restart; any other file stays. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return
  if (!found.isSocket() || (await answers(path))) {
    const problem = found.isSocket()
      ? 'is in use: does another steelyard run?'
      : 'is there and is no socket'
    throw new SteelyardError(`${path} ${problem}`, { code: 'address-in-use', source: 'system' })
  }
  await unlink(path)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}

function listening(
  server: Server,
  endpoint: { host: string; port: number; path?: string; text: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new SteelyardError(
          `the admin endpoint cannot listen on ${endpoint.text}: ${cause.message}`,
          {
            code: cause.code === 'EADDRINUSE' ? 'address-in-use' : 'io',
            source: 'system',
            cause,
          },
        ),
      )
    })
    if (endpoint.path === undefined) server.listen(endpoint.port, endpoint.host, resolve)
    else server.listen(endpoint.path, resolve)
  })
}
