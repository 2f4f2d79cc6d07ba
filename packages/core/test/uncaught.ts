/** What goes uncaught in the microtasks after `act`, kept from the test runner. */
export async function uncaught(act: () => void): Promise<readonly unknown[]> {
  const errors: unknown[] = []
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => errors.push(error))
  try {
    act()
    // Each microtask that throws costs a turn of the event loop at most.
    await new Promise((done) => setImmediate(() => setImmediate(done)))
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const other of others) process.on('uncaughtException', other)
  }
  return errors
}
