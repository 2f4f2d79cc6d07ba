import { types } from 'node:util'
import {
  flagOption,
  invalidOption,
  objectOption,
  oneOrMore,
  parseSize,
  type Size,
  shown,
  textOption,
} from '@steelyard/core'
import { canonicalText } from '../canonical-text.ts'
import { type Check, type CheckOptions, check } from '../check.ts'
import { contentMatcher, type Pattern } from '../pattern.ts'
import type { ProbeTarget } from '../probe.ts'
import type { Expectation } from './http-answer.ts'
import { type HttpPlan, HttpSession } from './http-session.ts'
import { type SocketOptions, sourceOf } from './socket-target.ts'
import { type StatusCodes, statusCodes } from './status-codes.ts'
import { type TlsSettings, tlsPlan } from './tls-session.ts'

/** What {@link httpCheck} may be told. */
export interface HttpCheckOptions extends CheckOptions, SocketOptions {
  /** Default `GET`. `CONNECT` is not for checks. */
  readonly method?: string
  /** Path and query. Default `/`. */
  readonly path?: string
  /** The `Host` header. Default: the target's host, with its port unless that is the scheme's own. */
  readonly host?: string
  /** Further request headers. Default: a `User-Agent`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Request body. Default: none. */
  readonly body?: string
  /** Status codes that mean well. Redirects are not followed: name 3xx codes here if they will do. Default `200-299`. */
  readonly expect?: StatusCodes
  /** The answer's body must contain this, within its first `maxBody` bytes. Default: anything will do. */
  readonly expectBody?: Pattern
  /** Headers that the answer must have, with this content or a match for it. Default: none. */
  readonly expectHeaders?: Readonly<Record<string, string | RegExp>>
  /** How much of the body is read; the rest is cut off. Default 64 KiB; 16 MiB at most. */
  readonly maxBody?: Size
  /** Uses one connection for many checks, for ten minutes at most. Default `true`; `false` connects anew each time. */
  readonly keepAlive?: boolean
  /** Speaks HTTPS: `true`, or how. Default `false`. */
  readonly tls?: boolean | Omit<TlsSettings, 'alpn'>
  /** HTTP version: `1.1`, or `2`, over TLS chosen by ALPN, in the clear with prior knowledge. Default `1.1`. */
  readonly version?: '1.1' | '2'
}

/**
 * Well is who answers an HTTP request as expected: status code, and optionally body and headers.
 *
 * @example
 * ```ts
 * httpCheck({ path: '/healthz', expect: 200, every: '5s' })
 * httpCheck({ port: 9000, path: '/ready', expectBody: '"status":"ok"', tls: { servername: 'api.example.com' } })
 * ```
 *
 * @throws `invalid-option` with the path of the field.
 */
export function httpCheck(options: HttpCheckOptions = {}): Check {
  const plan = httpPlan(options)
  // One session for each target under check: it holds the connection.
  const sessions = new Map<ProbeTarget, HttpSession>()
  return check(
    'http',
    (target, context) => {
      let session = sessions.get(target)
      if (session === undefined) sessions.set(target, (session = new HttpSession(target, plan)))
      return session.exchange(context)
    },
    {
      ...options,
      key: keyOf(options),
      forget(target) {
        sessions.get(target)?.close()
        sessions.delete(target)
      },
    },
  )
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const fieldValue = /^[\t\u0020-\u007e\u0080-\u00ff]*$/

function httpPlan(options: HttpCheckOptions): HttpPlan {
  const {
    method = 'GET',
    path = '/',
    host,
    body,
    version = '1.1',
    keepAlive = true,
  } = objectOption(options, 'httpCheck')
  if (typeof method !== 'string' || !token.test(method) || method === 'CONNECT') {
    throw invalidOption(
      'httpCheck.method',
      `${shown(method)} is no method for a check: use GET or HEAD`,
    )
  }
  if (typeof path !== 'string' || !/^(?:\/|\*$)[\u0021-\u007e]*$/.test(path)) {
    throw invalidOption(
      'httpCheck.path',
      `${shown(path)} is no path: begin with / and percent-encode spaces and what is not ASCII`,
    )
  }
  if (host !== undefined && (typeof host !== 'string' || !/^[\w.:[\]-]+$/.test(host))) {
    throw invalidOption('httpCheck.host', `${shown(host)} is no host name`)
  }
  if (version !== '1.1' && version !== '2') {
    throw invalidOption('httpCheck.version', `${shown(version)} is neither 1.1 nor 2`)
  }
  const maxBody = parseSize(options.maxBody ?? 65_536, 'httpCheck.maxBody')
  if (maxBody < 1 || maxBody > 16_777_216) {
    throw invalidOption('httpCheck.maxBody', `${maxBody} bytes: use 1 byte to 16MiB`)
  }
  const expect = options.expect ?? '200-299'
  const tls = options.tls ?? false
  return {
    method,
    path,
    host,
    headers: requestHeaders(options.headers ?? {}),
    body: body === undefined ? undefined : textOption(body, 'httpCheck.body'),
    expect: {
      status: statusCodes(expect, 'httpCheck.expect'),
      statusText: oneOrMore(expect).join(','),
      content:
        options.expectBody === undefined
          ? undefined
          : contentMatcher(options.expectBody, 'httpCheck.expectBody'),
      fields: Object.entries(
        objectOption(options.expectHeaders ?? {}, 'httpCheck.expectHeaders'),
      ).map(fieldMatcher),
      maxBody,
    },
    keepAlive: flagOption(keepAlive, 'httpCheck.keepAlive'),
    tls: tls === false ? undefined : tlsPlan(tls === true ? {} : tls, 'httpCheck.tls'),
    version,
    source: sourceOf(options, 'httpCheck'),
  }
}

function requestHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const sent: Record<string, string> = {}
  for (const [name, value] of Object.entries({
    'user-agent': 'steelyard-health',
    ...lower(objectOption(headers, 'httpCheck.headers')),
  })) {
    const path = `httpCheck.headers.${name}`
    if (!token.test(name)) throw invalidOption(path, `${shown(name)} is no header name`)
    if (!fieldValue.test(value)) throw invalidOption(path, 'holds control characters')
    if (
      /^(?:host|connection|content-length|transfer-encoding|keep-alive|upgrade|expect)$/.test(name)
    ) {
      throw invalidOption(path, 'is set by the check itself; for "host" there is an option')
    }
    sent[name] = value
  }
  return sent
}

function lower(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      textOption(value, `httpCheck.headers.${name}`),
    ]),
  )
}

function fieldMatcher([name, wanted]: [string, string | RegExp]): Expectation['fields'][number] {
  if (!token.test(name)) {
    throw invalidOption(`httpCheck.expectHeaders.${name}`, `${shown(name)} is no header name`)
  }
  if (typeof wanted !== 'string' && !types.isRegExp(wanted)) {
    throw invalidOption(
      `httpCheck.expectHeaders.${name}`,
      `${shown(wanted)} is neither text nor a regular expression`,
    )
  }
  const test =
    typeof wanted === 'string'
      ? (value: string) => value === wanted
      : (value: string) => value.search(wanted) >= 0
  return { name: name.toLowerCase(), text: String(wanted), test }
}

function keyOf(options: HttpCheckOptions): string {
  const { method, path, host, headers, body, expect, expectBody, expectHeaders } = options
  const { maxBody, keepAlive, tls, version, source } = options
  return canonicalText({
    ...{ method, path, host, headers, body, expect, expectBody, expectHeaders },
    ...{ maxBody, keepAlive, tls, version, source },
  })
}
