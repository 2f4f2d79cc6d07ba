import { SteelyardError, shown } from '@steelyard/core'
import { type Authority, parseAuthority } from '../gate/authority.ts'
import { canonicalPathOf } from '../gate/canonical-path.ts'
import { ascii } from '../wire/ascii.ts'
import { fieldProblem, isToken } from '../wire/checked-field.ts'
import { Head } from '../wire/head.ts'
import { RequestHead } from '../wire/request-head.ts'
import { ResponseHead } from '../wire/response-head.ts'
import type { FieldEditor, RequestEditor, ResponseEditor } from './field-editor.ts'

/** Fields that frame a message or manage its connection: the proxy writes them itself. */
const ours: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Edits the lines of a head, and holds off what would break the message. Used again and again: see {@link FieldEdits.on}. */
export class FieldEdits implements FieldEditor {
  #head: Head = nothing

  /** Turns to another head. */
  on(head: Head): this {
    this.#head = head
    return this
  }

  get(name: string): string | undefined {
    return this.#head.get(name)
  }

  all(name: string): string[] {
    return this.#head.all(name)
  }

  has(name: string): boolean {
    return this.#head.has(name)
  }

  /** @throws `invalid-field` */
  set(name: string, value: string): void {
    checkField(name, value)
    this.#head.set(name, value)
  }

  /** @throws `invalid-field` */
  add(name: string, value: string): void {
    checkField(name, value)
    this.#head.add(name, value)
  }

  remove(name: string): number {
    return this.#head.remove(name)
  }

  [Symbol.iterator](): Iterator<[name: string, value: string]> {
    return this.#head[Symbol.iterator]()
  }
}

/** Edits the request that goes to the backend. Its Host is {@link RequestEdits.host}, under that name as a field too. */
export class RequestEdits extends FieldEdits implements RequestEditor {
  #request: RequestHead = noRequest

  override on(head: RequestHead): this {
    this.#request = head
    return super.on(head)
  }

  get method(): string {
    return this.#request.method
  }

  /** @throws `invalid-field` for what is no token, and for CONNECT, which has another kind of target */
  set method(value: string) {
    if (typeof value !== 'string' || !isToken(value) || value === 'CONNECT') {
      throw invalidField('method', `${shown(value)} is no method that can be sent on`)
    }
    this.#request.method = value
  }

  get path(): string {
    return this.#request.path
  }

  /** Takes the one form of the path; an encoded slash stays one. @throws `invalid-field` */
  set path(value: string) {
    if (value === '*' && this.#request.method === 'OPTIONS') {
      this.#request.path = value
      return
    }
    const path = typeof value === 'string' ? canonicalPathOf(value, pathPolicy) : undefined
    if (typeof path !== 'string') {
      throw invalidField('path', `${shown(value)}: ${path?.message ?? 'is not a text'}`)
    }
    this.#request.path = path
  }

  get query(): string | undefined {
    return this.#request.query
  }

  /** @throws `invalid-field` for white space, `#`, control characters and those outside ASCII: escape them */
  set query(value: string | undefined) {
    if (value !== undefined && (typeof value !== 'string' || !/^[!"$-~]*$/.test(value))) {
      throw invalidField('query', `${shown(value)} has a character that must be escaped`)
    }
    this.#request.query = value
  }

  get host(): string {
    return this.#request.authority
  }

  /** @throws `invalid-field` for what is no host with an optional port */
  set host(value: string) {
    const authority = authorityOf(value)
    if (authority === undefined) {
      throw invalidField('host', `${shown(value)} is not a host with an optional port`)
    }
    const request = this.#request
    request.host = authority.host
    request.port = authority.port
    request.authority = authority.text
  }

  override get(name: string): string | undefined {
    return isHost(name) ? this.#request.authority || undefined : super.get(name)
  }

  override all(name: string): string[] {
    const { authority } = this.#request
    if (!isHost(name)) return super.all(name)
    return authority === '' ? [] : [authority]
  }

  override has(name: string): boolean {
    return isHost(name) ? this.#request.authority !== '' : super.has(name)
  }

  override set(name: string, value: string): void {
    if (isHost(name)) this.host = value
    else super.set(name, value)
  }

  override add(name: string, value: string): void {
    if (isHost(name)) throw invalidField('host', 'there is one Host only: set it')
    super.add(name, value)
  }

  /** Host stays: there is no request without. */
  override remove(name: string): number {
    return isHost(name) ? 0 : super.remove(name)
  }
}

/** Edits the response that goes to the client. */
export class ResponseEdits extends FieldEdits implements ResponseEditor {
  #response: ResponseHead = noResponse
  #bodyLength = 0

  /** @param bodyLength - as the exchange knows it; default: as the head says */
  override on(head: ResponseHead, bodyLength: number = head.bodyLength): this {
    this.#response = head
    this.#bodyLength = bodyLength
    return super.on(head)
  }

  get status(): number {
    return this.#response.status
  }

  /** @throws `invalid-field` for anything but 200 to 599 */
  set status(value: number) {
    if (!Number.isInteger(value) || value < 200 || value > 599) {
      throw invalidField('status', `${shown(value)} is no final status: use 200 to 599`)
    }
    if (value !== this.#response.status) this.#response.reason = ''
    this.#response.status = value
  }

  get bodyLength(): number {
    return this.#bodyLength
  }
}

const nothing = new Head(0, 1)
const noRequest = new RequestHead(0, 1)
const noResponse = new ResponseHead(0, 1)
const pathPolicy = { encodedSlash: 'keep', mergeSlashes: false } as const

function checkField(name: string, value: string): void {
  if (typeof name !== 'string') throw invalidField('name', `${shown(name)} is no name of a field`)
  if (typeof value !== 'string') throw invalidField(name, `${shown(value)} is not a text`)
  const problem = fieldProblem(name, value)
  if (problem !== undefined) throw invalidField(name, problem)
  if (ours.has(name.toLowerCase())) {
    throw invalidField(name, 'frames the message or manages its connection: it is not to be set')
  }
}

function authorityOf(text: string): Authority | undefined {
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) return undefined
  const bytes = ascii(text)
  return parseAuthority(bytes, 0, bytes.length)
}

function isHost(name: string): boolean {
  return typeof name === 'string' && name.length === 4 && name.toLowerCase() === 'host'
}

function invalidField(name: string, problem: string): SteelyardError<'invalid-field'> {
  return new SteelyardError(problem, { code: 'invalid-field', source: 'config', path: name })
}
