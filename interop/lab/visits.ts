import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { LabHost } from '@steelyard/testing'
import { daemon } from '../daemon.ts'

/** One visit: when it began by the wall clock, how long it took, and who greeted or what went wrong. */
export interface Visit {
  readonly at: number
  readonly ms: number
  readonly who?: string
  readonly error?: string
}

/** Visitors that come one after the other, whatever becomes of those before. */
export interface Visits extends AsyncDisposable {
  readonly all: readonly Visit[]
  /** Resolves when so many visits that began at this moment or later are over. */
  since(at: number, count: number): Promise<readonly Visit[]>
  /** No more begin; resolves when all are over. */
  stop(): Promise<void>
}

const program = fileURLToPath(new URL('visits-process.ts', import.meta.url))

/** Sends visitors from a machine of the lab. */
export async function visits(
  from: LabHost,
  to: { readonly host: string; readonly port: number },
  everyMs: number,
  patienceMs: number,
): Promise<Visits> {
  const all: Visit[] = []
  const news = new EventEmitter()
  const started = await daemon(
    process.execPath,
    [program, to.host, String(to.port), String(everyMs), String(patienceMs)],
    {
      inside: from.inside,
      onLine(line) {
        all.push(JSON.parse(line) as Visit)
        news.emit('visit')
      },
    },
  )
  return {
    all,
    async since(at, count) {
      const signal = AbortSignal.timeout(30_000)
      for (;;) {
        const found = all.filter((visit) => visit.at >= at)
        if (found.length >= count) return found
        await once(news, 'visit', { signal })
      }
    },
    stop: () => started.end(),
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  }
}
