import { type IncomingMessage, request } from 'node:http'
import { SteelyardError } from '@steelyard/core'
import { parseEndpoint } from '@steelyard/core/ip'

/** An answer of the admin endpoint. */
export interface AdminReply {
  readonly status: number
  readonly body: unknown
}

/** Talks to the admin endpoint of a running node. */
export interface AdminClient {
  get(path: string): Promise<AdminReply>
  post(path: string, body: string | Uint8Array): Promise<AdminReply>
  delete(path: string): Promise<AdminReply>
}

/**
 * Makes an {@link AdminClient} for `host:port` or `unix:/path`. Each call rejects with `admin-unreachable`
 * when nobody answers.
 */
export function adminClient(listen: string): AdminClient {
  const { host, port, path: socketPath, text } = parseEndpoint(listen, '--admin')
  const at = socketPath === undefined ? { host, port } : { socketPath }

  function call(method: string, path: string, body?: string | Uint8Array): Promise<AdminReply> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        // No connection is kept: the node may restart between two requests.
        { ...at, method, path, agent: false, timeout: 60_000, headers: { host: 'localhost' } },
        (response) => {
          read(response).then(
            (content) => resolve({ status: response.statusCode ?? 0, body: content }),
            reject,
          )
        },
      )
      outgoing.once('timeout', () => outgoing.destroy(new Error('no answer within 60 s')))
      outgoing.once('error', (cause) => {
        reject(
          new SteelyardError(
            `no steelyard answers at ${text} (${cause.message}): is it running, and is --admin the address that its "admin.listen" names?`,
            { code: 'admin-unreachable', source: 'system', cause },
          ),
        )
      })
      outgoing.end(body)
    })
  }

  return {
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    delete: (path) => call('DELETE', path),
  }
}

async function read(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  if (response.headers['content-type'] !== 'application/json') return text
  try {
    return JSON.parse(text)
  } catch {
    // Not one of our answers; whoever asked sees that by its shape.
    return text
  }
}
