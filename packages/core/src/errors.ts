import { oneLine } from './shown.ts'

/** Whose fault a failure is: it decides what to log, what to answer and whom to blame. */
export type ErrorSource = 'client' | 'backend' | 'peer' | 'system' | 'config'

/** What {@link SteelyardError} needs beyond its message. */
export interface SteelyardErrorInit<Code extends string = string> {
  /** Stable kebab-case code, listed in `docs/errors.md`. */
  readonly code: Code
  /** Whose fault it is. */
  readonly source: ErrorSource
  /** May the same operation succeed when tried again, on this or another backend? Default `false`. */
  readonly retryable?: boolean
  /** The option or document path of the offending value, such as `backends[2].weight`. */
  readonly path?: string
  /** The underlying failure. */
  readonly cause?: unknown
}

/**
 * The one error class of every Steelyard package: a stable code, whose fault it is, and whether a
 * retry is safe. The message is one line of bounded length, whatever it quotes. Match on
 * {@link isSteelyardError}, never on `instanceof` or on the message.
 */
export class SteelyardError<Code extends string = string> extends Error {
  override readonly name: string = 'SteelyardError'
  readonly code: Code
  readonly source: ErrorSource
  readonly retryable: boolean
  readonly path: string | undefined
  /** Marks it across copies of the package, where `instanceof` fails. */
  readonly isSteelyardError: true = true

  constructor(message: string, init: SteelyardErrorInit<Code>) {
    super(
      bounded(init.path === undefined ? message : `${pathText(init.path)}: ${message}`),
      init.cause === undefined ? undefined : { cause: init.cause },
    )
    this.code = init.code
    this.source = init.source
    this.retryable = init.retryable ?? false
    this.path = init.path
  }
}

/** Narrows an unknown failure to {@link SteelyardError}, optionally with one code. */
export function isSteelyardError<Code extends string = string>(
  error: unknown,
  code?: Code,
): error is SteelyardError<Code> {
  return (
    typeof error === 'object' &&
    error !== null &&
    (error as { isSteelyardError?: unknown }).isSteelyardError === true &&
    (code === undefined || (error as { code?: unknown }).code === code)
  )
}

/**
 * A wrong option: thrown synchronously by factories, with the path of the offending value.
 *
 * @param path - where the value stands, such as `backends[2].weight`.
 * @param problem - what is wrong with it and what to do; the value itself as `shown` tells it.
 */
export function invalidOption(path: string, problem: string): SteelyardError<'invalid-option'> {
  return new SteelyardError(problem, { code: 'invalid-option', source: 'config', path })
}

/** Names and keys of any length go into messages; logs and terminals get one line of them. */
function bounded(message: string): string {
  return oneLine(message.length > 2000 ? `${message.slice(0, 2000)}…` : message)
}

/** Parts of a path may be keys that the user chose. */
function pathText(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path
}
