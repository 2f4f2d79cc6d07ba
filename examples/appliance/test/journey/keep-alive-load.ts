import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

/** A request that did not go well. */
export interface LostRequest {
  readonly method: string
  readonly reason: string
}

/** Clients that each keep one connection and ask over it again and again. */
export interface KeepAliveLoad {
  readonly answers: ReadonlyMap<string, number>
  /** No answer, or one of 500 and above. */
  readonly lost: readonly LostRequest[]
  readonly done: number
  /** Connections that were opened. */
  readonly connections: number
  reset(): void
  stop(): Promise<void>
}

/** How a {@link KeepAliveLoad} asks. */
export interface KeepAliveLoadOptions {
  readonly clients: number
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly pauseMs?: number
}

/**
 * Starts clients. A client whose kept connection is closed by the server before anything of an answer came asks once
 * more, as every HTTP client does for idempotent requests (RFC 9112 section 9.5).
 */
export function keepAliveLoad(
  port: number,
  { clients, path, headers = {}, pauseMs = 40 }: KeepAliveLoadOptions,
): KeepAliveLoad {
  const answers = new Map<string, number>()
  const lost: LostRequest[] = []
  let done = 0
  let connections = 0
  let running = true

  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    await pause(Math.random() * pauseMs)
    while (running) {
      try {
        const answer = await ask(agent).catch((error: unknown) => {
          if ((error as { again?: boolean }).again !== true) throw error
          return ask(agent)
        })
        answers.set(answer, (answers.get(answer) ?? 0) + 1)
        done += 1
      } catch (error) {
        lost.push({ method: 'GET', reason: (error as Error).message })
      }
      await pause(pauseMs)
    }
    agent.destroy()
  }

  function ask(agent: Agent): Promise<string> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port, path, agent, headers }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (piece: string) => {
          text += piece
        })
        response.on('error', reject)
        response.on('end', () => {
          const { statusCode = 0 } = response
          if (statusCode >= 500)
            return reject(new Error(`status ${statusCode}: ${text.slice(0, 80)}`))
          try {
            resolve(String((JSON.parse(text) as { name?: string }).name))
          } catch {
            resolve(`status ${statusCode}`)
          }
        })
      })
      outgoing.on('socket', (socket) => {
        if (outgoing.reusedSocket) return
        connections += 1
        socket.setTimeout(10_000, () => socket.destroy(new Error('no answer within 10 s')))
      })
      outgoing.on('error', (error) => {
        reject(Object.assign(error, { again: outgoing.reusedSocket }))
      })
      outgoing.end()
    })
  }

  const loops = Array.from({ length: clients }, () => client())
  return {
    answers,
    lost,
    get done() {
      return done
    },
    get connections() {
      return connections
    },
    reset() {
      answers.clear()
      lost.length = 0
      done = 0
    },
    async stop() {
      running = false
      await Promise.all(loops)
    },
  }
}
