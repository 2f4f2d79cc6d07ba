import type { RequestEditor } from '../../exchange/field-editor.ts'
import type { FieldRecord } from '../field-option.ts'

const framing =
  /^(?:connection|content-length|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade)$/i

/** The head of a copy. */
export interface CopiedHead {
  readonly method: string
  readonly target: string
  readonly host: string
  readonly headers: readonly (readonly [string, string])[]
}

/**
 * Copies the head that goes to the member, without what frames it.
 *
 * @param suffix - put behind the first label of the Host's name.
 * @param marks - fields to set.
 */
export function copiedHead(head: RequestEditor, suffix: string, marks: FieldRecord): CopiedHead {
  const headers: [string, string][] = []
  const marked = new Set(Object.keys(marks).map((name) => name.toLowerCase()))
  for (const [name, value] of head) {
    if (!framing.test(name) && !marked.has(name.toLowerCase())) headers.push([name, value])
  }
  for (const [name, value] of Object.entries(marks)) {
    for (const one of typeof value === 'string' ? [value] : value) headers.push([name, one])
  }
  const { method, path, query, host } = head
  return {
    method,
    target: query === undefined ? path : `${path}?${query}`,
    host: suffix === '' ? host : withSuffix(host, suffix),
    headers,
  }
}

/** Behind the first label; an address has none and stays. */
function withSuffix(host: string, suffix: string): string {
  if (host === '' || host.startsWith('[') || /^[\d.]+(?::\d+)?$/.test(host)) return host
  const end = host.search(/[.:]/)
  return end < 0 ? `${host}${suffix}` : `${host.slice(0, end)}${suffix}${host.slice(end)}`
}
