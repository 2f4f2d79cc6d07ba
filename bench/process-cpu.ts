import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks a second of /proc's times on every Linux that Node runs on. */
export const ticksPerSecond = 100

/** CPU seconds, user and system, that a process and its living descendants have used. */
export function cpuSeconds(pid: number): number {
  let ticks = 0
  for (const member of processTree(pid)) ticks += ticksOf(member)
  return ticks / ticksPerSecond
}

/** CPU seconds that children of a process have used that have ended. */
export function endedChildrenSeconds(pid: number): number {
  const fields = fieldsAfterName(read(`/proc/${pid}/stat`))
  return (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) / ticksPerSecond
}

/** Resident memory of a process and its descendants, in MiB. */
export function residentMiB(pid: number): number {
  let pages = 0
  for (const member of processTree(pid)) {
    pages += Number(read(`/proc/${member}/statm`).split(' ')[1] ?? 0)
  }
  return (pages * 4096) / 1024 ** 2
}

function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = Number(fieldsAfterName(read(`/proc/${name}/stat`))[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

function ticksOf(pid: number): number {
  const fields = fieldsAfterName(read(`/proc/${pid}/stat`))
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
}

/** The fields of /proc/PID/stat from the state on; the name before them may hold spaces. */
function fieldsAfterName(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    // The process has ended between the listing and the look.
    return ''
  }
}
