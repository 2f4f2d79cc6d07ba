import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { pause } from './wait.ts'

/** What the demo's clients saw. */
export interface TrafficCounts {
  /** Answers by backend name. */
  readonly answers: ReadonlyMap<string, number>
  /** Connections or requests that failed; with the reasons. */
  readonly failures: readonly string[]
}

/** Clients that ask all the time. */
export interface Traffic extends AsyncDisposable {
  readonly tcp: TrafficCounts
  readonly udp: TrafficCounts
  /** Forgets the counts so far. */
  reset(): void
}

interface Counts {
  readonly answers: Map<string, number>
  readonly failures: string[]
}

/** Starts some TCP clients, each of which connects, asks, reads the answer and closes, and one UDP client. */
export function traffic(
  tcpPort: number,
  udpPort: number,
  clients: number,
  pauseMs: number,
): Traffic {
  const tcp: Counts = { answers: new Map(), failures: [] }
  const udp: Counts = { answers: new Map(), failures: [] }
  let running = true
  const count = ({ answers }: Counts, answer: string): void => {
    const name = answer.slice(0, answer.indexOf(':'))
    answers.set(name, (answers.get(name) ?? 0) + 1)
  }

  async function tcpClient(): Promise<void> {
    for (let turn = 0; running; turn++) {
      try {
        count(tcp, await askTcp(tcpPort, `hello ${turn}`))
      } catch (error) {
        tcp.failures.push((error as NodeJS.ErrnoException).code ?? (error as Error).message)
      }
      await pause(pauseMs)
    }
  }

  const socket = createSocket('udp4')
  socket.on('message', (message) => count(udp, message.toString()))
  socket.on('error', (error) => udp.failures.push(error.message))
  async function udpClient(): Promise<void> {
    while (running) {
      socket.send('what time is it?', udpPort, '127.0.0.1')
      await pause(pauseMs * 4)
    }
  }

  const loops = [...Array.from({ length: clients }, () => tcpClient()), udpClient()]
  return {
    tcp,
    udp,
    reset() {
      for (const { answers, failures } of [tcp, udp]) {
        answers.clear()
        failures.length = 0
      }
    },
    async [Symbol.asyncDispose]() {
      running = false
      await Promise.all(loops)
      socket.close()
    },
  }
}

/** One connection: a line out, a line in. */
export function askTcp(port: number, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(`${line}\n`))
    let answer = ''
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer within 5 s')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed without an answer')))
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (!answer.endsWith('\n')) return
      resolve(answer)
      socket.end()
    })
  })
}
