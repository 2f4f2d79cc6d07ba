import { writeSync } from 'node:fs'

const nothing = new Uint8Array(0)
const [major = 0, minor = 0] = process.versions.uv.split('.').map(Number)
/** Before 1.52 libuv tells a reset that arrives behind unread bytes as an orderly end. */
const hides = major < 1 || (major === 1 && minor < 52)

/** Was an end of reading really a reset? A write of nothing brings the kernel's error to light. */
export function isHiddenReset(descriptor: number): boolean {
  if (!hides || descriptor < 0) return false
  try {
    writeSync(descriptor, nothing, 0, 0)
    return false
  } catch (error) {
    // EPIPE after our own FIN says nothing of the peer; other failures come to light where they matter.
    return (error as NodeJS.ErrnoException).code === 'ECONNRESET'
  }
}

/** What the kernel meant. */
export const hiddenReset: { readonly code: string } = Object.freeze({ code: 'ECONNRESET' })
