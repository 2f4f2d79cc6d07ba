import { failed, inconclusive, type ProbeResult, refused } from './probe.ts'

/** The peer, or the network on its behalf, said no. */
const refusals: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'failed: no route to the host',
  ENETUNREACH: 'failed: the network is unreachable',
  EHOSTDOWN: 'failed: the host is down',
  ENOTFOUND: 'failed: the name is not known',
  ENOENT: 'failed: there is no such socket',
  ENOTSOCK: 'failed: this is no socket',
  EACCES: 'failed: permission denied',
  EPERM: 'failed: not permitted',
}

/** It did not work out; a moment later it might have. */
const mishaps: Readonly<Record<string, string>> = {
  ETIMEDOUT: 'timed out',
  ECONNRESET: 'was reset by the peer',
  ECONNABORTED: 'was aborted',
  EPIPE: 'was closed by the peer',
  EAGAIN: 'failed: its backlog is full',
  EAI_AGAIN: 'failed: the name service gave no answer',
}

/** Ours: the system ran out of something that a check needs. Says nothing of the peer. */
const shortages: Readonly<Record<string, string>> = {
  EMFILE: 'this process has no file descriptor left',
  ENFILE: 'this system has no file descriptor left',
  ENOBUFS: 'this system has no buffer space left',
  ENOMEM: 'this system has no memory left',
  EADDRNOTAVAIL: 'this system has no local address or port left for it',
}

/**
 * The result that a socket's error means.
 *
 * @param doing - what failed, to be followed by how: `connect to 10.0.0.3:80`.
 */
export function socketFailure(doing: string, error: Error): ProbeResult {
  const { code = '' } = error as NodeJS.ErrnoException
  const evidence = code === '' ? undefined : { code }
  const shortage = shortages[code]
  if (shortage !== undefined) return inconclusive(`${doing} was not tried: ${shortage}`, evidence)
  const refusal = refusals[code]
  if (refusal !== undefined) return refused(`${doing} ${refusal}`, evidence)
  return failed(`${doing} ${mishaps[code] ?? `failed: ${messageOf(error)}`}`, evidence)
}

function messageOf(error: Error): string {
  // OpenSSL's message names its source files; its reason is the part for people.
  const { reason } = error as { reason?: unknown }
  return typeof reason === 'string' && reason !== '' ? reason : error.message
}
