/** A value that a span may carry. */
export type SpanAttribute = string | number | boolean

/** What is known when a span starts. */
export interface SpanStart {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits: ours, and already told to the member where it is the span of an attempt. */
  readonly spanId: string
  /** Undefined for the first span of a trace. */
  readonly parentId: string | undefined
  /** The caller is another process. */
  readonly remoteParent: boolean
  /** `server` for an exchange, `client` for each attempt. */
  readonly kind: 'server' | 'client'
  /** Wall-clock milliseconds since the epoch, with fractions. */
  readonly startTime: number
  /** By the names of OpenTelemetry's semantic conventions for HTTP. */
  readonly attributes: Readonly<Record<string, SpanAttribute>>
}

/** A span that was started. */
export interface TraceSpan {
  setAttribute(name: string, value: SpanAttribute): void
  /**
   * @param status - `error` as the semantic conventions say: for a server's span a status of 500 or above, or none; for a
   *   client's span also 400 and above.
   * @param endTime - wall-clock milliseconds since the epoch, with fractions
   */
  end(status: 'unset' | 'error', endTime: number): void
}

/** The port for a tracing system, such as OpenTelemetry: only spans of sampled traces come here. */
export interface TracerPort {
  startSpan(name: string, start: SpanStart): TraceSpan
}
