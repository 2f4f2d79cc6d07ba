import { isSteelyardError } from '@steelyard/core'
import type { NodeStatus } from '../admin/status.ts'
import { adminClient } from '../cli/admin-client.ts'
import { colours } from '../cli/colours.ts'
import { renderStatus } from '../cli/render-status.ts'
import { screen } from '../cli/screen.ts'
import type { ExitCode, LiveIo } from './command-io.ts'
import { type RemoteOptions, statusOf } from './remote.ts'

/** `steelyard status`: the node as a table or JSON, once or until interrupted. */
export async function statusCommand(
  options: RemoteOptions & { readonly watch: boolean; readonly output: 'table' | 'json' },
  io: LiveIo,
): Promise<ExitCode> {
  const client = adminClient(options.admin)
  const paint = colours(io.colour)
  const page = (status: NodeStatus): string => renderStatus(status, paint, Date.now())
  const isTable = options.output === 'table'
  if (!options.watch) {
    const status = await statusOf(client, options)
    io.out(isTable ? page(status) : `${JSON.stringify(status, null, 2)}\n`)
    return 0
  }
  const stop = io.interrupted()
  using live =
    isTable && io.terminal !== undefined
      ? screen((text) => io.out(text), io.terminal)
      : { draw: (text: string) => io.out(text), [Symbol.dispose]: () => {} }
  for (let known = false; !stop.aborted; ) {
    try {
      const status = await statusOf(client, options)
      known = true
      live.draw(isTable ? page(status) : `${JSON.stringify(status)}\n`)
    } catch (error) {
      // A node that answered before may be about to restart.
      if (!known || !isSteelyardError(error, 'admin-unreachable')) throw error
      if (isTable) live.draw(`${paint.bad(error.message)}\n`)
    }
    await io.pause(1000, stop)
  }
  return 0
}
