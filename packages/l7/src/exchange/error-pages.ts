import type { Exchange } from './exchange.ts'

/** A body for an error answer. */
export interface ErrorPage {
  readonly body: string | Uint8Array
  readonly contentType: string
  /** Another status to say instead. */
  readonly status?: number
}

/** Bodies for error answers of our own, by status. */
export interface ErrorPages {
  pageFor(status: number, x: Exchange): ErrorPage | undefined
}
