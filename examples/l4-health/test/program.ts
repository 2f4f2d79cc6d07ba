import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'

/** An example at work, from its sources. */
export interface Program {
  readonly child: ChildProcess
  /** Resolves with the match as soon as the output has it. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  /** Ends it by SIGTERM and gives its exit code. */
  end(): Promise<number | null>
}

/** What a test leaves behind, in the order in which it came; undone after each test. */
export const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const task of cleanup.splice(0).reverse()) await task()
})

/** Starts an example with these arguments. */
export function run(name: string, ...args: string[]): Program {
  const file = fileURLToPath(new URL(`../../${name}/main.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@steelyard/source', file, ...args])
  const exit = once(child, 'exit') as Promise<[number | null]>
  let output = ''
  let heard = Promise.withResolvers<void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      heard.resolve()
      heard = Promise.withResolvers<void>()
    })
  }
  cleanup.push(() => child.kill('SIGKILL'))
  return {
    child,
    async says(pattern) {
      for (;;) {
        const match = pattern.exec(output)
        if (match !== null) return match
        if (child.exitCode !== null)
          throw new Error(`${name} ended with ${child.exitCode}:\n${output}`)
        await Promise.race([heard.promise, exit])
      }
    },
    async end() {
      child.kill('SIGTERM')
      return (await exit)[0]
    },
  }
}
