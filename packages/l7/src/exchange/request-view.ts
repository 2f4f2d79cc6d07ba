import type { SocketAddress } from '@steelyard/core'
import type { TlsFacts } from '@steelyard/l4'
import { type TrustSettings, trustedClient, trustedScheme } from '../gate/trusted-client.ts'
import type { RequestHead } from '../wire/request-head.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import { readCookies } from './cookies.ts'
import type { HttpRequest, HttpVersion } from './http-request.ts'
import { readQuery } from './query-parameters.ts'

/**
 * A client's request for matchers, filters and hooks: a window on its head, which reads what it is asked for and
 * remembers what was costly. Good as long as the head is.
 */
export class RequestView implements HttpRequest {
  readonly #head: RequestHead
  readonly #connection: ConnectionFacts
  readonly #trust: TrustSettings
  #client: string | undefined = undefined
  #scheme: 'http' | 'https' | undefined = undefined
  #cookies: ReadonlyMap<string, string> | undefined = undefined
  #parameters: ReadonlyMap<string, readonly string[]> | undefined = undefined

  /** @param settings - whom to believe about the client */
  constructor(
    head: RequestHead,
    connection: ConnectionFacts,
    settings: { readonly trust: TrustSettings },
  ) {
    this.#head = head
    this.#connection = connection
    this.#trust = settings.trust
  }

  get method(): string {
    return this.#head.method
  }

  get version(): HttpVersion {
    const { version } = this.#head
    return version === 20 ? 'HTTP/2' : version === 10 ? 'HTTP/1.0' : 'HTTP/1.1'
  }

  get scheme(): 'http' | 'https' {
    return (this.#scheme ??= trustedScheme(this.#head, this.#connection, this.#trust))
  }

  get host(): string {
    return this.#head.host
  }

  get port(): number {
    return this.#head.port
  }

  get path(): string {
    return this.#head.path
  }

  get query(): string | undefined {
    return this.#head.query
  }

  get target(): string {
    return this.#head.target
  }

  get client(): string {
    return (this.#client ??= trustedClient(this.#head, this.#connection, this.#trust))
  }

  get peer(): SocketAddress {
    return this.#connection.peer
  }

  get local(): SocketAddress {
    return this.#connection.local
  }

  get tls(): TlsFacts | undefined {
    return this.#connection.tls
  }

  get bodyLength(): number {
    return this.#head.bodyLength
  }

  header(name: string): string | undefined {
    return this.#head.get(name)
  }

  headerAll(name: string): readonly string[] {
    return this.#head.all(name)
  }

  headers(): Iterable<readonly [name: string, value: string]> {
    return this.#head
  }

  cookie(name: string): string | undefined {
    this.#cookies ??= readCookies(this.#head)
    return this.#cookies.get(name)
  }

  queryParameter(name: string): string | undefined {
    return this.queryParameterAll(name)[0]
  }

  queryParameterAll(name: string): readonly string[] {
    this.#parameters ??= readQuery(this.#head.query)
    return this.#parameters.get(name) ?? none
  }
}

const none: readonly string[] = Object.freeze([])
