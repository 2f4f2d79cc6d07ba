import type { ServerResponse } from 'node:http'

/** Passes a target's 103 on (RFC 8297). What Node could not write is left out: it is a hint. */
export function passEarlyHints(
  res: ServerResponse,
  { link }: { readonly link?: string | readonly string[] | undefined },
): void {
  if (link === undefined || res.headersSent || res.req.httpVersion !== '1.1') return
  const links = typeof link === 'string' ? link : link.join(', ')
  if (oneLink.test(links)) res.writeEarlyHints({ link: links })
}

const oneLink = /^<[^<>\s]+>(?:\s*;\s*[\w-]+(?:="?[^",;]*"?)?)*$/
