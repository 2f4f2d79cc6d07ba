import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

/** A process that the benchmark started and will end. */
export interface Daemon extends AsyncDisposable {
  readonly pid: number
}

/** Starts a command on one CPU and waits until it says so or its port answers. */
export async function daemon(
  cpu: number,
  command: readonly [string, ...string[]],
  ready: { readonly port: number } | { readonly line: RegExp },
  env: Readonly<Record<string, string>> = {},
): Promise<Daemon> {
  const child = spawn('taskset', ['-c', String(cpu), ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output = (output + text).slice(-8192)
    })
  }
  const died = once(child, 'exit').then(([code]) => {
    throw new Error(`${command.join(' ')} ended with ${code}:\n${output}`)
  })
  died.catch(() => {})
  await Promise.race([
    died,
    'port' in ready ? answers(ready.port) : says(child, () => output, ready.line),
  ])
  return {
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const gentle = setTimeout(() => child.kill('SIGKILL'), 2000)
      await once(child, 'exit')
      clearTimeout(gentle)
    },
  }
}

/** A TCP port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function answers(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = connect(port, '127.0.0.1')
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (up) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`nothing answers on port ${port}`)
}

async function says(child: ChildProcess, output: () => string, line: RegExp): Promise<void> {
  while (!line.test(output())) await once(child.stdout!, 'data')
}
