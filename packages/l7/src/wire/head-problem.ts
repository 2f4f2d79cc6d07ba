/** Why a message cannot be taken: what a decoder or a judge answers instead of throwing. */
export interface HeadProblem {
  /** What the client is told: 400, 414, 431, 501, 505, or 502 when the backend is at fault. */
  readonly status: number
  readonly code: 'bad-request' | 'head-too-large' | 'unsupported' | 'loop-detected' | 'bad-response'
  /** What is wrong and where. Bytes from the wire are named by number, never quoted. */
  readonly message: string
}

/** A byte as messages name it. */
export function byteName(byte: number): string {
  return `byte 0x${byte.toString(16).padStart(2, '0')}`
}
