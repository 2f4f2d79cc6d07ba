/**
 * HTTP load balancing: HTTP/1.1 and HTTP/2, routing with ACLs, policies, filters.
 *
 * @packageDocumentation
 */
export type { HttpFilter } from './exchange/http-filter.ts'
