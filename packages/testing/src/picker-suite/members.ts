import type { RigMember } from '../picker-rig.ts'

/** `member-0` and so on, all alike. */
export function named(count: number): RigMember[] {
  return Array.from({ length: count }, (_, index) => ({ id: `member-${index}` }))
}
