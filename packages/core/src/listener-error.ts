/**
 * Rethrows what a listener threw in a microtask: the owner of the event and the other listeners are not
 * disturbed, and the error is as visible as any uncaught one.
 */
export function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
