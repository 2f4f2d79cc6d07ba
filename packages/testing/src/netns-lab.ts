import { type SpawnOptionsWithoutStdio, spawn } from 'node:child_process'

/** A machine of a {@link NetnsLab}: a network namespace of its own with one interface, `eth0`, and no limit on ICMP errors. */
export interface LabHost<Name extends string = string> {
  readonly name: Name
  /** Its addresses: `192.0.2.N` and `2001:db8::N` on the lab's one segment. */
  readonly v4: string
  readonly v6: string
  /** Words to put in front of a command so that it runs on this machine. */
  readonly inside: readonly string[]
  /** Gives it another address of the segment, by its last part from 100 to 199, in both families; it may have it already. */
  addAddress(last: number): Promise<{ readonly v4: string; readonly v6: string }>
  /**
   * Puts nftables rules in force, in place of those before: `tcp dport 80 drop`,
   * `meta l4proto tcp reject with icmp host-unreachable`. None lifts them all.
   */
  filter(rules: LabRules): Promise<void>
  /** Pulls the plug of its cable, or puts it back. */
  plug(state: 'in' | 'out'): Promise<void>
  /** Runs a command here to its end and gives its output; throws when it fails. */
  run(command: string, ...args: string[]): Promise<string>
}

/** What a {@link LabHost} does with packets that come to it, and with those that it sends. */
export interface LabRules {
  readonly input?: readonly string[]
  readonly output?: readonly string[]
}

/** Machines on one Ethernet segment, all on this machine and out of reach for everything else. */
export interface NetnsLab<Name extends string> extends AsyncDisposable {
  readonly hosts: Readonly<Record<Name, LabHost<Name>>>
}

/** Namespaces of this process carry its id, so that what a killed one left behind can be told and removed. */
const prefix = 'steelyard-lab'
let serial = 0

/**
 * Builds a lab: a switch, and a host for each name, in network namespaces that disposing it deletes, and
 * with them interfaces, addresses and rules. Processes that still run inside are killed then. Nothing outside
 * of the namespaces is touched. Needs root, iproute2 and nftables; see {@link netnsLacking}.
 */
export async function netnsLab<const Name extends string>(
  names: readonly Name[],
): Promise<NetnsLab<Name>> {
  if (names.length > 60) throw new RangeError(`${names.length} hosts: a lab has room for 60`)
  await removeAbandoned()
  serial += 1
  const lab = `${prefix}-${process.pid}-${serial}`
  const spaces: string[] = []
  async function space(name: string): Promise<string> {
    const made = `${lab}-${name}`
    await ip('netns', 'add', made)
    spaces.push(made)
    return made
  }
  async function remove(): Promise<void> {
    for (const made of spaces.splice(0)) await removeNamespace(made)
  }
  try {
    const net = await space('switch')
    await ipBatch(net, ['link set lo up', 'link add br0 type bridge', 'link set br0 up'])
    const hosts: Partial<Record<Name, LabHost<Name>>> = {}
    for (const [index, name] of names.entries()) {
      const own = await space(name)
      hosts[name] = await connectHost(name, own, net, index + 1)
    }
    return {
      hosts: Object.freeze(hosts as Record<Name, LabHost<Name>>),
      [Symbol.asyncDispose]: remove,
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Why no {@link netnsLab} can be built here, in words for a skipped test; `undefined` when one can. */
export async function netnsLacking(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'needs Linux with network namespaces'
  if (process.getuid?.() !== 0) return 'needs root for network namespaces'
  try {
    await using lab = await netnsLab(['probe'])
    await lab.hosts.probe.filter({ input: ['tcp dport 1 drop'] })
    return undefined
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    return `needs network namespaces, iproute2 and nftables: ${reason.replaceAll(/[()]/g, '')}`
  }
}

async function connectHost<Name extends string>(
  name: Name,
  own: string,
  net: string,
  index: number,
): Promise<LabHost<Name>> {
  const port = `port${index}`
  const [v4, v6] = addressesOf(index)
  await ipBatch(own, [
    'link set lo up',
    `link add eth0 type veth peer name ${port} netns ${net}`,
    ...addAddresses(v4, v6),
    'link set eth0 up',
  ])
  await ipBatch(net, [`link set ${port} master br0`, `link set ${port} up`])
  const inside = Object.freeze(['ip', 'netns', 'exec', own])
  await command([...inside, 'sh', '-c', everyIcmpError])
  return Object.freeze({
    name,
    v4,
    v6,
    inside,
    async addAddress(last: number) {
      if (!Number.isInteger(last) || last < 100 || last > 199) {
        throw new RangeError(`${last}: use 100 to 199`)
      }
      const [more4, more6] = addressesOf(last)
      await ipBatch(own, addAddresses(more4, more6))
      return { v4: more4, v6: more6 }
    },
    async filter({ input = [], output = [] }: LabRules) {
      const chain = (hook: string, rules: readonly string[]): string =>
        [
          `chain ${hook} {`,
          `type filter hook ${hook} priority 0; policy accept;`,
          ...rules,
          '}',
        ].join('\n')
      await command([...inside, 'nft', '-f', '-'], {
        input: `table inet lab {}\ndelete table inet lab\ntable inet lab {\n${chain('input', input)}\n${chain('output', output)}\n}\n`,
      })
    },
    plug: (state: 'in' | 'out') =>
      ipBatch(net, [`link set ${port} ${state === 'in' ? 'up' : 'down'}`]),
    run: (...words: string[]) => command([...inside, ...words]),
  })
}

/** The kernel lets through about one ICMP error a second; a lab wants to see each. */
const everyIcmpError =
  'echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit'

/** From the documentation prefixes (RFC 5737, RFC 3849), which are nobody's. */
function addressesOf(index: number): [string, string] {
  return [`192.0.2.${index}`, `2001:db8::${index}`]
}

/** Without the wait for who else may have the address. */
function addAddresses(v4: string, v6: string): string[] {
  return [`addr replace ${v4}/24 dev eth0`, `addr replace ${v6}/64 dev eth0 nodad`]
}

/** Removes the labs of processes that are gone. */
async function removeAbandoned(): Promise<void> {
  for (const line of (await ip('netns', 'list')).split('\n')) {
    const [name = ''] = line.split(' ')
    const [, pid] = new RegExp(`^${prefix}-(\\d+)-`).exec(name) ?? []
    if (pid !== undefined && !isAlive(Number(pid))) await removeNamespace(name)
  }
}

async function removeNamespace(name: string): Promise<void> {
  // A namespace lives on, unnamed, for as long as a process is in it.
  for (const pid of (await ip('netns', 'pids', name)).split('\n')) {
    if (pid !== '' && isAlive(Number(pid))) kill(Number(pid))
  }
  await ip('netns', 'del', name)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has just ended by itself.
  }
}

function ip(...args: string[]): Promise<string> {
  return command(['ip', ...args])
}

async function ipBatch(namespace: string, lines: readonly string[]): Promise<void> {
  await command(['ip', '-n', namespace, '-batch', '-'], { input: `${lines.join('\n')}\n` })
}

/** Runs a command to its end and gives what it said; throws with what it complained of. */
function command(
  words: readonly string[],
  { input = '', ...options }: SpawnOptionsWithoutStdio & { readonly input?: string } = {},
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const [program = '', ...args] = words
  const child = spawn(program, args, { timeout: 20_000, ...options })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8')
    child[name].on('data', (text: string) => {
      said[name] += text
    })
  }
  // A command may end without reading.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  child.once('error', reject)
  child.once('close', (code, signal) => {
    if (code === 0) resolve(said.stdout)
    else
      reject(
        new Error(
          `${words.join(' ')} ended with ${code ?? signal}: ${said.stderr.trim() || said.stdout.trim()}`,
        ),
      )
  })
  return promise
}
