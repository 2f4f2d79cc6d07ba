import type { BodySink, BodyTransform, BodyTransformer } from './body-transform.ts'

/** Where a {@link TransformPipe} ends, and whom it tells that it takes more. */
export interface PipeEnd {
  /** False asks to wait for {@link TransformPipe.drained}. */
  pipeData(pipe: TransformPipe, bytes: Uint8Array): boolean
  pipeEnd(pipe: TransformPipe): void
  pipeFailed(pipe: TransformPipe, error: unknown): void
  /** {@link TransformPipe.write} had said false: more may be written. */
  pipeReady(pipe: TransformPipe): void
}

/** A body's way through transforms, one behind the other. */
export class TransformPipe {
  readonly #owner: PipeEnd
  readonly #stages: BodyTransform[] = []
  #over = false

  constructor(transformers: readonly BodyTransformer[], owner: PipeEnd) {
    this.#owner = owner
    // From the last to the first: each writes into the one behind it.
    for (let i = transformers.length - 1; i >= 0; i--) {
      const stage = transformers[i]!(this.#sink(i, i === transformers.length - 1))
      this.#stages[i] = stage
    }
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over) return true
    try {
      return this.#stages[0]!.write(bytes)
    } catch (error) {
      this.#fail(error)
      return true
    }
  }

  end(): void {
    if (this.#over) return
    try {
      this.#stages[0]!.end()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** What it ends in takes more. */
  drained(): void {
    if (!this.#over) this.#stages.at(-1)!.drained()
  }

  destroy(): void {
    if (this.#over) return
    this.#over = true
    for (const stage of this.#stages) stage.destroy()
  }

  #sink(index: number, last: boolean): BodySink {
    return {
      data: (bytes) => {
        if (this.#over) return true
        return last ? this.#owner.pipeData(this, bytes) : this.#stages[index + 1]!.write(bytes)
      },
      end: () => {
        if (this.#over) return
        if (!last) return this.#stages[index + 1]!.end()
        this.#over = true
        this.#owner.pipeEnd(this)
      },
      failed: (error) => this.#fail(error),
      ready: () => {
        if (this.#over) return
        if (index === 0) this.#owner.pipeReady(this)
        else this.#stages[index - 1]!.drained()
      },
    }
  }

  #fail(error: unknown): void {
    if (this.#over) return
    this.destroy()
    this.#owner.pipeFailed(this, error)
  }
}
