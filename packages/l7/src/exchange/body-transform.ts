/** Where a {@link BodyTransform} puts what it makes. */
export interface BodySink {
  /** Takes the bytes during the call. False asks to wait for {@link BodyTransform.drained}. */
  data(bytes: Uint8Array): boolean
  /** All has been written. */
  end(): void
  /** The body cannot be finished. */
  failed(error: unknown): void
  /** Room has come: more may be {@link BodyTransform.write | written}. To be called after `write` said false. */
  ready(): void
}

/** Changes a body on its way, such as compression. May answer at once or later; order is its own. */
export interface BodyTransform {
  /** The range is lent for the call. False asks to wait for {@link BodySink.ready}. */
  write(bytes: Uint8Array): boolean
  /** No more will come; what is left goes to the sink, then {@link BodySink.end}. */
  end(): void
  /** The sink, which had said false, takes more. */
  drained(): void
  /** The exchange is over before its end: lets go of everything, tells nothing more. */
  destroy(): void
}

/** Opens a transform for one body. */
export interface BodyTransformer {
  (sink: BodySink): BodyTransform
  /** Every byte passes on as it came, if later: the length that was declared stays. Default: it does not. */
  readonly unchanged?: boolean
}
