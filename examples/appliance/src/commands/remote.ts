import { isSteelyardError, SteelyardError } from '@steelyard/core'
import type { NodeStatus } from '../admin/status.ts'
import type { AdminClient, AdminReply } from '../cli/admin-client.ts'
import type { CommandIo } from './command-io.ts'

/** How all commands reach the node. */
export interface RemoteOptions {
  /** The admin endpoint: `host:port` or `unix:/path`. */
  readonly admin: string
}

/** Did the node do what it was asked? If not, its answer is told. */
export function accepted({ status, body }: AdminReply, io: CommandIo): boolean {
  if (status < 300) return true
  io.err(`${(body as { message?: string }).message ?? `the node answered ${status}`}\n`)
  return false
}

/** The status of the node. Throws `admin-unreachable` when somebody else answers. */
export async function statusOf(client: AdminClient, { admin }: RemoteOptions): Promise<NodeStatus> {
  const { status, body } = await client.get('/status')
  if (status === 200 && Array.isArray((body as Partial<NodeStatus> | null)?.pools)) {
    return body as NodeStatus
  }
  throw new SteelyardError(`whoever answers at ${admin} is no steelyard (status ${status})`, {
    code: 'admin-unreachable',
    source: 'system',
  })
}

/** Failures that a command's user can do something about become one line. */
export function explained(error: unknown): string | undefined {
  return isSteelyardError(error) ? error.message : undefined
}
