/** How much a message head, or a trailer section, may hold. */
export interface HeadLimits {
  /** Bytes of the whole block, start line and final empty line included. */
  readonly maxBytes: number
  /** Bytes of one line, its CRLF not counted. */
  readonly maxLine: number
  /** Header lines. */
  readonly maxLines: number
}

/** 16 KiB a block, 8 KiB a line, 100 lines. */
export const defaultHeadLimits: HeadLimits = Object.freeze({
  maxBytes: 16_384,
  maxLine: 8192,
  maxLines: 100,
})
