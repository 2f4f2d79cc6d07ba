const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** May a request be made twice with the effect of once (RFC 9110 section 9.2.2)? */
export function isIdempotent(method: string): boolean {
  return method === 'GET' || methods.has(method)
}
