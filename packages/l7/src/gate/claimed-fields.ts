import { type NameTable, nameTable } from './name-table.ts'

/**
 * Names by which a request claims something about its client or about what was asked for before somebody changed it.
 * They come from proxies in front; from anybody else they are lies, and backends believe them.
 */
export const claimNames: readonly string[] = Object.freeze([
  'cf-connecting-ip',
  'client-cert',
  'client-cert-chain',
  'fastly-client-ip',
  'forwarded',
  'front-end-https',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-forwarded',
  'x-real-ip',
  'x-rewrite-url',
  'x-scheme',
  'x-url-scheme',
])

/** The same as beginnings of names: X-Forwarded-For, X-Original-URL, X-SSL-Client-Verify and all their kin. */
export const claimPrefixes: readonly string[] = Object.freeze([
  'x-forwarded-',
  'x-original-',
  'x-ssl-',
])

/** {@link claimNames} and {@link claimPrefixes}, to be asked. */
export const claimedFields: NameTable = nameTable(claimNames, claimPrefixes)

/** The names of a client's certificate that Octavia's listeners insert, and all that begin so. */
export const certificateFields: NameTable = nameTable([], ['x-ssl-'])
