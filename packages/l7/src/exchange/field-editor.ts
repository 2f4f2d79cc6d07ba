/**
 * A head's lines, to be looked at and edited. Names are checked to be tokens, values to have no control characters;
 * fields that frame the message (`content-length`, `transfer-encoding`, `connection`, `upgrade`, `trailer`, `te`,
 * `keep-alive`) are the proxy's own: setting one throws `invalid-field`.
 */
export interface FieldEditor {
  get(name: string): string | undefined
  all(name: string): string[]
  has(name: string): boolean
  /** Replaces every line of that name. */
  set(name: string, value: string): void
  /** Adds a line. */
  add(name: string, value: string): void
  /** Removes every line of that name; returns how many. */
  remove(name: string): number
  [Symbol.iterator](): Iterator<[name: string, value: string]>
}

/** The request that goes to the backend. */
export interface RequestEditor extends FieldEditor {
  method: string
  /** Path without query, beginning with `/`. Bad characters throw `invalid-field`. */
  path: string
  /** Without `?`; undefined for none. */
  query: string | undefined
  /** The Host that the backend is told. */
  host: string
}

/** The response that goes to the client. */
export interface ResponseEditor extends FieldEditor {
  /** A final status: 200 to 599. */
  status: number
  /** 0 for no body; -1 when its length is not known yet. */
  readonly bodyLength: number
}
