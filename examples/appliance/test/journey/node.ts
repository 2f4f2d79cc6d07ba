import type { StdioOptions } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFailed } from 'vitest'
import type { MemberReport, NodeStatus } from '../../src/admin/status.ts'
import { eventually } from './eventually.ts'
import { type Ran, run, type Steelyard, steelyard } from './steelyard.ts'

/** An answer of the admin endpoint. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body as JSON. */
  json(): unknown
}

/** What to ask of the admin endpoint. */
export interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** A node in a process of its own, with a folder of its own. */
export interface TestNode extends AsyncDisposable {
  readonly folder: string
  /** The document. */
  readonly file: string
  /** For `--admin`. */
  readonly admin: string
  readonly process: Steelyard
  ask(path: string, question?: Question): Promise<Answer>
  status(): Promise<NodeStatus>
  member(pool: string, id: string): Promise<MemberReport>
  /** Writes the document; `ADMIN` in it stands for the node's own endpoint. */
  write(document: string): Promise<void>
  /** Writes the document, sends SIGHUP, and waits until it was judged. */
  reload(document?: string): Promise<NodeStatus>
  /** Runs a command of the command line against the node. */
  cli(command: string, ...args: readonly string[]): Promise<Ran>
  /** Sends SIGTERM and waits for the end. */
  stop(): Promise<number | string>
}

/** How a {@link TestNode} is started. */
export interface TestNodeOptions {
  /** Watch the file. Default: reload on SIGHUP only. */
  readonly watch?: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly stdio?: StdioOptions
  /** Return at once. Default: wait until it is ready. */
  readonly impatient?: boolean
  /** Where the admin endpoint is in the document. Default: a unix socket in the folder. */
  readonly admin?: string
  /** More files in the folder, by name. */
  readonly files?: Readonly<Record<string, string | Buffer>>
}

/** Starts a node with a document, in which `ADMIN` stands for its admin endpoint and `FOLDER` for its folder. */
export async function startNode(
  document: string,
  options: TestNodeOptions = {},
): Promise<TestNode> {
  const folder = await mkdtemp(join(tmpdir(), 'steelyard-journey-'))
  const file = join(folder, 'node.yaml')
  const admin = options.admin ?? `unix:${join(folder, 'admin.sock')}`
  const write = (text: string): Promise<void> =>
    writeFile(file, text.replaceAll('ADMIN', admin).replaceAll('FOLDER', folder))
  for (const [name, content] of Object.entries(options.files ?? {})) {
    await writeFile(join(folder, name), content)
  }
  await write(document)
  const child = steelyard(['run', '-c', file, ...(options.watch === true ? [] : ['--no-watch'])], {
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.stdio === undefined ? {} : { stdio: options.stdio }),
  })
  onTestFailed(() => console.error(`what the node in ${folder} said:\n${child.log}`))
  let over: number | string | undefined
  void child.ended.then((code) => {
    over = code
  })

  const ask = (path: string, question: Question = {}): Promise<Answer> =>
    askAdmin(admin, path, question)
  async function status(): Promise<NodeStatus> {
    return (await ask('/status')).json() as NodeStatus
  }
  async function stop(): Promise<number | string> {
    if (over === undefined) child.child.kill('SIGTERM')
    return child.ended
  }

  const node: TestNode = {
    folder,
    file,
    admin,
    process: child,
    ask,
    status,
    write,
    stop,
    async member(pool, id) {
      const { pools } = await status()
      const found = pools
        .find(({ name }) => name === pool)
        ?.members.find((member) => member.id === id)
      if (found === undefined) throw new Error(`there is no member ${pool}/${id}`)
      return found
    },
    async reload(text) {
      const count = (): number => child.log.match(judged)?.length ?? 0
      const before = count()
      if (text !== undefined) await write(text)
      child.child.kill('SIGHUP')
      await eventually('the node judged its document', () => count() > before)
      return status()
    },
    cli: (command, ...rest) => run(command, '--admin', admin, ...rest),
    async [Symbol.asyncDispose]() {
      if (over === undefined) {
        // Nothing that matters is left to drain, and a hang must not outlive its test. Two different
        // signals, because two equal ones may arrive as one.
        child.child.kill('SIGTERM')
        child.child.kill('SIGINT')
        const deadline = setTimeout(() => child.child.kill('SIGKILL'), 5000)
        await child.ended
        clearTimeout(deadline)
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
  if (options.impatient === true) return node
  try {
    await eventually('the node is ready', async () => {
      if (over !== undefined) throw new Error(`the node ended with ${over}:\n${child.log}`)
      return (await ask('/readyz').catch(() => undefined))?.status === 200
    })
  } catch (error) {
    await node[Symbol.asyncDispose]()
    throw error
  }
  return node
}

/** What the log says once for each document that was read. */
const judged =
  /"msg":"(?:configuration applied|document refused; nothing was changed|reload failed; [^"]*)"/g

/** One request to an admin endpoint, as it is: nothing is added but a Host. */
export function askAdmin(admin: string, path: string, question: Question = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = question
  const at = admin.startsWith('unix:')
    ? { socketPath: admin.slice(5) }
    : { host: admin.slice(0, admin.lastIndexOf(':')), port: Number(admin.split(':').at(-1)) }
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...at, path, method, agent: false, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: () => JSON.parse(text) as unknown,
        })
      })
    })
    outgoing.on('error', reject)
    outgoing.setTimeout(10_000, () => outgoing.destroy(new Error('no answer within 10 s')))
    outgoing.end(body)
  })
}
