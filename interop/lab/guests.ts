import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { LabHost } from '@steelyard/testing'
import { daemon } from '../daemon.ts'

/** What one guest hears, or how its connection ended. */
export type GuestNews =
  | { readonly guest: number; readonly heard: string }
  | { readonly guest: number; readonly ended: string }

/** One connection as its client sees it. */
export interface Guest {
  /** All that it heard. */
  readonly heard: string
  /** `end` for FIN, else the code of the failure; `undefined` while it is open. */
  readonly ended: string | undefined
}

/** Connections that stay. */
export interface Guests extends AsyncDisposable {
  readonly all: readonly Guest[]
  /** Each sends this line. */
  say(line: string): void
  /** Waits until all that are open, or those that match, are as they should be. */
  until(state: (guest: Guest) => boolean, which?: (guest: Guest) => boolean): Promise<void>
  /** Sends FIN on each and waits for the end of all. */
  leave(): Promise<void>
}

const program = fileURLToPath(new URL('guests-process.ts', import.meta.url))

/** Sends guests from a machine of the lab. */
export async function guests(
  from: LabHost,
  to: { readonly host: string; readonly port: number },
  count = 1,
): Promise<Guests> {
  const all = Array.from({ length: count }, () => ({
    heard: '',
    ended: undefined as string | undefined,
  }))
  const emitter = new EventEmitter()
  const started = await daemon(
    process.execPath,
    [program, to.host, String(to.port), String(count)],
    {
      inside: from.inside,
      onLine(line) {
        const news = JSON.parse(line) as GuestNews
        const guest = all[news.guest]!
        if ('heard' in news) guest.heard += news.heard
        else guest.ended = news.ended
        emitter.emit('news')
      },
    },
  )
  return {
    all,
    say: (line) => started.write(`${line}\n`),
    async until(state, which = ({ ended }) => ended === undefined) {
      const signal = AbortSignal.timeout(15_000)
      const concerned = all.filter(which)
      while (!concerned.every(state)) {
        await once(emitter, 'news', { signal }).catch((cause: unknown) => {
          throw new Error(`guests: ${JSON.stringify(all)}`, { cause })
        })
      }
    },
    leave: () => started.end(),
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  }
}
