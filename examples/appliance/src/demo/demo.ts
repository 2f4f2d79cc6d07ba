import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '@steelyard/core'
import { colours } from '../cli/colours.ts'
import type { ExitCode, LiveIo } from '../commands/command-io.ts'
import { type Appliance, appliance } from '../runtime/appliance.ts'
import { version } from '../version.ts'
import { type DemoBackend, type DemoProtocol, demoBackend } from './backends.ts'
import { type DemoCast, type DemoPorts, demoDocument } from './document.ts'
import { freeTcpPort, freeUdpPort } from './free-port.ts'
import { type HttpTraffic, httpTraffic } from './http-traffic.ts'
import { showLive } from './live.ts'
import { smoke } from './smoke.ts'
import { type Traffic, traffic } from './traffic.ts'

/** Everything that the demo has set up. */
export interface DemoStage extends DemoCast {
  readonly node: Appliance
  readonly traffic: Traffic
  readonly web: HttpTraffic
  readonly ports: DemoPorts
  readonly file: string
}

/**
 * `steelyard demo`: real backends in processes of their own, real traffic, a live table; with `--smoke`
 * it plays the story through by itself and exits 0 or 1.
 */
export async function demoCommand(
  options: { readonly smoke: boolean },
  io: LiveIo,
): Promise<ExitCode> {
  const cleanUp: (() => Promise<unknown>)[] = []
  try {
    const stage = await setUp(cleanUp)
    const paint = colours(io.colour)
    if (options.smoke) return await smoke(stage, io, paint)
    await showLive(stage, io, paint)
    return 0
  } finally {
    for (const task of cleanUp.reverse()) await task()
  }
}

async function setUp(cleanUp: (() => Promise<unknown>)[]): Promise<DemoStage> {
  const backend = async (name: string, protocol: DemoProtocol): Promise<DemoBackend> => {
    const made = await demoBackend(name, protocol)
    cleanUp.push(() => made.kill())
    return made
  }
  const [anna, bert, carl, dora, emil, fina, gina, hans] = await Promise.all([
    backend('anna', 'tcp'),
    backend('bert', 'tcp'),
    backend('carl', 'tcp'),
    backend('dora', 'udp'),
    backend('emil', 'http'),
    backend('fina', 'http'),
    backend('gina', 'http'),
    backend('hans', 'http'),
  ])
  const cast: DemoCast = {
    echo: [anna, bert, carl],
    time: dora,
    shop: [emil, fina],
    api: gina,
    canary: hans,
  }
  const ports = {
    tcp: await freeTcpPort(7000),
    udp: await freeUdpPort(7000),
    http: await freeTcpPort(8080),
    admin: await freeTcpPort(9901),
  }
  const folder = await mkdtemp(join(tmpdir(), 'steelyard-demo-'))
  cleanUp.push(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'demo.yaml')
  await writeFile(file, demoDocument(cast, ports))
  const node = appliance({ file, log: silentLog, env: {}, version })
  cleanUp.push(() => node.stop(AbortSignal.timeout(2000)))
  await node.start()
  const clients = traffic(ports.tcp, ports.udp, 4, 25)
  cleanUp.push(async () => {
    await clients[Symbol.asyncDispose]()
  })
  const web = httpTraffic(ports.http, 4, 25)
  cleanUp.push(async () => {
    await web[Symbol.asyncDispose]()
  })
  return { node, ...cast, traffic: clients, web, ports, file }
}
