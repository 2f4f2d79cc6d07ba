import type { Logger } from '@steelyard/core'
import type { DesiredAdmin } from '../desired/desired.ts'
import { type AdminServer, adminServer } from './admin-server.ts'
import type { AdminTarget } from './admin-target.ts'

/** The admin endpoint over its whole life: it may move to another address while the node runs. */
export interface AdminDoor extends AsyncDisposable {
  /** Absent while it is closed. */
  readonly address: string | undefined
  /** Opens it, or brings it to another form; where it moves, the new place opens before the old one closes. */
  change(desired: DesiredAdmin): Promise<void>
}

/** Makes an {@link AdminDoor} that is closed. */
export function adminDoor(target: AdminTarget, log: Logger): AdminDoor {
  let open: { readonly server: AdminServer; readonly listen: string } | undefined
  return {
    get address() {
      return open?.server.address
    },
    async change({ listen, readOnly }) {
      if (open?.listen === listen) return open.server.setReadOnly(readOnly)
      const server = await adminServer({ listen, readOnly, target, log })
      const before = open
      open = { server, listen }
      // Not awaited: the request that asked for the change is answered over the old one.
      void before?.server[Symbol.asyncDispose]()
    },
    async [Symbol.asyncDispose]() {
      const { server } = open ?? {}
      open = undefined
      await server?.[Symbol.asyncDispose]()
    },
  }
}
