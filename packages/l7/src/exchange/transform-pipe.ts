import type { BodySink, BodyTransform, BodyTransformer } from './body-transform.ts'

/** Where a {@link TransformPipe} ends, and whom it tells that it takes more. */
export interface PipeEnd {
  /** False asks to wait for {@link TransformPipe.drained}. */
  pipeData(pipe: TransformPipe, bytes: Uint8Array): boolean
  pipeEnd(pipe: TransformPipe): void
  pipeFailed(pipe: TransformPipe, error: unknown): void
  /** {@link TransformPipe.write} had said false: more may be written. */
  pipeReady(pipe: TransformPipe): void
  /** A transform threw when it was let go: of no consequence but for the log. */
  pipeComplains(pipe: TransformPipe, error: unknown): void
}

/** A body's way through transforms, one behind the other. */
export class TransformPipe {
  readonly #owner: PipeEnd
  readonly #stages: BodyTransform[] = []
  #over = false

  constructor(transformers: readonly BodyTransformer[], owner: PipeEnd) {
    this.#owner = owner
    // From the last to the first: each writes into the one behind it.
    try {
      for (let i = transformers.length - 1; i >= 0; i--) {
        this.#stages[i] = transformers[i]!(this.#sink(i, i === transformers.length - 1))
      }
    } catch (error) {
      this.destroy()
      throw error
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
    if (this.#over) return
    try {
      this.#stages.at(-1)!.drained()
    } catch (error) {
      this.#fail(error)
    }
  }

  destroy(): void {
    if (this.#over) return
    this.#over = true
    // Where making one of them failed there are only those behind it.
    this.#stages.forEach((stage) => {
      try {
        stage.destroy()
      } catch (error) {
        this.#owner.pipeComplains(this, error)
      }
    })
  }

  /** Stages call it from timers and callbacks of their own too, so nothing may be thrown out of it. */
  #sink(index: number, last: boolean): BodySink {
    return {
      data: (bytes) => {
        if (this.#over) return true
        if (last) return this.#owner.pipeData(this, bytes)
        try {
          return this.#stages[index + 1]!.write(bytes)
        } catch (error) {
          this.#fail(error)
          return true
        }
      },
      end: () => {
        if (this.#over) return
        try {
          if (!last) return this.#stages[index + 1]!.end()
        } catch (error) {
          return this.#fail(error)
        }
        // The last stage may end before the others: what they still hold is nobody's.
        this.destroy()
        this.#owner.pipeEnd(this)
      },
      failed: (error) => this.#fail(error),
      ready: () => {
        if (this.#over) return
        if (index === 0) return this.#owner.pipeReady(this)
        try {
          this.#stages[index - 1]!.drained()
        } catch (error) {
          this.#fail(error)
        }
      },
    }
  }

  #fail(error: unknown): void {
    if (this.#over) return
    this.destroy()
    this.#owner.pipeFailed(this, error)
  }
}
