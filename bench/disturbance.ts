import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { cpuSeconds, endedChildrenSeconds, ticksPerSecond } from './process-cpu.ts'

/** Begins to watch what others do on this machine; the result tells how many cores they have kept busy since. */
export function disturbance(): () => number {
  const since = performance.now()
  const before = othersSeconds()
  return () => Math.max(0, (othersSeconds() - before) / ((performance.now() - since) / 1000))
}

/** Waits until others keep less than a tenth of a core busy, for some seconds at most. Returns the seconds waited. */
export async function quiet(withinSeconds: number): Promise<number> {
  const since = performance.now()
  const until = since + withinSeconds * 1000
  while (performance.now() < until) {
    const others = disturbance()
    await delay(300)
    if (others() < 0.1) break
  }
  return (performance.now() - since) / 1000
}

/** CPU time of the whole machine, stolen time included, less that of this process and its descendants. */
function othersSeconds(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'latin1')
    .split('\n', 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number) as [number, number, number, number, number, number, number, number]
  const busy = (user + nice + system + irq + softirq + steal) / ticksPerSecond
  return busy - cpuSeconds(process.pid) - endedChildrenSeconds(process.pid)
}
