import { once } from 'node:events'
import { connect } from 'node:net'
import type { Colours } from '../cli/colours.ts'
import type { CommandIo, ExitCode } from '../commands/command-io.ts'
import type { DemoStage } from './demo.ts'
import { httpSmoke } from './http-smoke.ts'
import { pause, until } from './wait.ts'

/** Plays the demo's story: traffic, a death, failover, return, drain. Says what happened; 0 if all of it was right. */
export async function smoke(stage: DemoStage, io: CommandIo, paint: Colours): Promise<ExitCode> {
  const { node, echo, traffic, ports } = stage
  let wrong = 0
  const tell = (good: boolean, text: string): void => {
    if (!good) wrong += 1
    io.out(`${good ? paint.good('ok  ') : paint.bad('FAIL')} ${text}\n`)
  }
  const heard = (): string =>
    [...traffic.tcp.answers]
      .sort()
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'nobody'
  const condition = (name: string): string | undefined =>
    node
      .status()
      .pools.find((pool) => pool.name === 'echo')
      ?.members.find(({ id }) => id === name)?.condition
  const [anna] = echo
  io.out(
    `TCP on 127.0.0.1:${ports.tcp}, UDP on 127.0.0.1:${ports.udp}, HTTP on 127.0.0.1:${ports.http}, admin on 127.0.0.1:${ports.admin}\n`,
  )

  const allUp = await until(() => echo.every(({ name }) => condition(name) === 'up'), 5000)
  tell(allUp !== undefined, 'all three backends are up')
  traffic.reset()
  await until(() => echo.every(({ name }) => (traffic.tcp.answers.get(name) ?? 0) >= 20), 5000)
  tell(
    traffic.tcp.answers.size === 3 && traffic.tcp.failures.length === 0,
    `traffic reaches everybody: ${heard()}`,
  )
  const udpHeard = await until(() => (traffic.udp.answers.get('dora') ?? 0) >= 3, 3000)
  tell(udpHeard !== undefined, `datagrams come back: dora ${traffic.udp.answers.get('dora') ?? 0}`)

  traffic.reset()
  await anna!.kill()
  const down = await until(() => condition('anna') === 'down', 3000)
  tell(
    down !== undefined,
    `anna was killed and is known to be down after ${Math.round(down ?? 0)} ms`,
  )
  tell(
    traffic.tcp.failures.length <= 4,
    `meanwhile ${traffic.tcp.failures.length} requests of ${total(traffic.tcp.answers)} were lost, all in flight at the kill`,
  )
  traffic.reset()
  await pause(700)
  tell(
    traffic.tcp.failures.length === 0 &&
      !traffic.tcp.answers.has('anna') &&
      traffic.tcp.answers.size === 2,
    `traffic has moved on, none lost: ${heard()}`,
  )

  await anna!.revive()
  const back = await until(() => condition('anna') === 'up', 5000)
  traffic.reset()
  const served = await until(() => (traffic.tcp.answers.get('anna') ?? 0) > 0, 3000)
  tell(
    back !== undefined && served !== undefined,
    `anna is back after ${Math.round(back ?? 0)} ms and serves: ${heard()}`,
  )

  const held = connect(ports.tcp, '127.0.0.1')
  held.on('error', () => {})
  held.write('hold\n')
  const [first] = (await once(held, 'data')) as [Buffer]
  const holder = first.toString().split(':')[0]!
  node.override('echo', holder, { state: 'draining' })
  traffic.reset()
  await pause(400)
  held.write('still here?\n')
  const [answer] = (await once(held, 'data')) as [Buffer]
  tell(
    answer.toString() === `${holder}: still here?\n` &&
      !traffic.tcp.answers.has(holder) &&
      traffic.tcp.failures.length === 0,
    `${holder} drains: its open connection goes on, new ones go elsewhere: ${heard()}`,
  )
  held.end()
  const empty = await until(
    () => node.status().pools[0]!.members.find(({ id }) => id === holder)!.active === 0,
    2000,
  )
  node.undo('echo', holder)
  traffic.reset()
  const again = await until(() => (traffic.tcp.answers.get(holder) ?? 0) > 0, 2000)
  tell(
    empty !== undefined && again !== undefined,
    `${holder} was drained without loss and takes traffic again`,
  )
  await httpSmoke(stage, tell)
  io.out(
    wrong === 0
      ? `${paint.good('all of it worked')}\n`
      : `${paint.bad(`${wrong} of the steps failed`)}\n`,
  )
  return wrong === 0 ? 0 : 1
}

function total(answers: ReadonlyMap<string, number>): number {
  let sum = 0
  for (const count of answers.values()) sum += count
  return sum
}
