import type { Matcher } from '../pattern.ts'
import type { Evidence } from '../probe.ts'

/** What an answer must be like. */
export interface Expectation {
  readonly status: (status: number) => boolean
  readonly statusText: string
  readonly content: Matcher | undefined
  readonly fields: readonly {
    readonly name: string
    readonly text: string
    readonly test: (value: string) => boolean
  }[]
  /** How much of the body is read. */
  readonly maxBody: number
}

/** What has come of an answer so far, and what is wrong with it. */
export class Answer {
  readonly #wanted: Expectation
  readonly #body: Uint8Array[] = []
  #fieldProblem: string | undefined
  /** Bytes of the body that came. */
  length = 0
  /** 0 until the head is here. */
  status = 0

  constructor(wanted: Expectation) {
    this.#wanted = wanted
  }

  begin(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    this.status = status
    for (const { name, text, test } of this.#wanted.fields) {
      const value = headers[name]
      const values = value === undefined ? [] : [value].flat()
      if (values.some(test)) continue
      const got = values.length === 0 ? 'is missing' : `is "${values.join(', ').slice(0, 80)}"`
      this.#fieldProblem ??= `header ${name} ${got}, expected ${text}`
    }
  }

  /** Takes a piece of the body; false when no more is read. */
  add(chunk: Uint8Array): boolean {
    const room = this.#wanted.maxBody - this.length
    this.length += chunk.length
    // A copy: the parser lends its memory for the call.
    if (this.#wanted.content !== undefined && room > 0) this.#body.push(chunk.slice(0, room))
    return this.length <= this.#wanted.maxBody
  }

  /** What is wrong with the head. */
  headProblem(): string | undefined {
    const { status, statusText } = this.#wanted
    if (!status(this.status)) return `answered ${this.status}, expected ${statusText}`
    return this.#fieldProblem === undefined
      ? undefined
      : `answered ${this.status}, but ${this.#fieldProblem}`
  }

  /** What is wrong with all of it, once no more comes or no more is read. */
  problem(): string | undefined {
    const { content, maxBody } = this.#wanted
    const early = this.headProblem()
    if (early !== undefined || content === undefined) return early
    if (content.end(Buffer.concat(this.#body)) >= 0) return undefined
    const where = this.length > maxBody ? `the first ${maxBody} bytes of its body` : 'its body'
    return `answered ${this.status}, but ${content.text} is not in ${where}`
  }

  evidence(): Evidence {
    return { status: this.status, bodyBytes: this.length }
  }
}
