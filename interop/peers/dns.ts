import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { path } from '../needs.ts'
import { said } from '../run.ts'

/** A query for TXT records without EDNS, as RFC 1035 §4.1 has it. */
export function txtQuery(name: string, id: number): Buffer {
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)])
  return Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 16, 0, 1])
}

/** What `dig` says, briefly; it fails when a query gets no answer at its first attempt, unless told otherwise. */
export function dig(
  host: string,
  port: number,
  {
    query,
    inside = [],
  }: { readonly query: readonly string[]; readonly inside?: readonly string[] },
): Promise<string> {
  const [command = '', ...args] = [
    ...inside,
    ...[path('dig'), `@${host}`, '-p', String(port), '+short', '+tries=1', '+timeout=3'],
    ...query,
  ]
  return said(command, args)
}

/** A resolver that keeps one socket for all its queries, as busy ones do. */
export interface SteadyResolver extends AsyncDisposable {
  readonly port: number
  /** Asks `whoami.lab.test` until somebody answers; gives who did, and how many queries were lost. */
  whoami(): Promise<{ readonly server: string; readonly lost: number }>
}

/** Makes a {@link SteadyResolver}; it asks again after `patienceMs`. */
export async function steadyResolver(
  host: string,
  port: number,
  patienceMs = 50,
): Promise<SteadyResolver> {
  const socket: Socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.on('error', () => {})
  socket.bind(0)
  await once(socket, 'listening')
  let id = 0
  return {
    port: socket.address().port,
    async whoami() {
      for (let lost = 0; ; lost++) {
        if (lost > 400) throw new Error(`no answer to ${lost} queries`)
        id = (id + 1) & 0xffff
        socket.send(txtQuery('whoami.lab.test', id), port, host)
        const server = await answerTo(socket, id, patienceMs)
        if (server !== undefined) return { server, lost }
      }
    },
    async [Symbol.asyncDispose]() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

/** The text of the answer with this id, if it comes in time. */
function answerTo(socket: Socket, id: number, withinMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const end = (text: string | undefined): void => {
      clearTimeout(timer)
      socket.off('message', heard)
      resolve(text)
    }
    const heard = (message: Buffer): void => {
      if (message.readUInt16BE(0) !== id) return
      // The answer's only record is the last thing in it: one length, one text.
      const text = message.subarray(message.length - 8).toString('latin1')
      end(/server-[a-z]$/.exec(text)?.[0])
    }
    const timer = setTimeout(() => end(undefined), withinMs)
    socket.on('message', heard)
  })
}
