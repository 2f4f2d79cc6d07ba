import type { Colours } from '../cli/colours.ts'
import { renderStatus } from '../cli/render-status.ts'
import { screen } from '../cli/screen.ts'
import type { LiveIo } from '../commands/command-io.ts'
import type { DemoBackend } from './backends.ts'
import type { DemoStage } from './demo.ts'
import type { DemoPorts } from './document.ts'

/** Every so often a backend dies, and after a while it comes back. */
const storyMs = { calm: 12_000, dead: 8000 }

/** Shows the node live until Ctrl-C; without a terminal it prints a table every five seconds. */
export async function showLive(
  { node, echo, shop, traffic, web, ports, file }: DemoStage,
  io: LiveIo,
  paint: Colours,
): Promise<void> {
  const events: string[] = []
  const note = (text: string): void => {
    events.push(`${new Date().toTimeString().slice(0, 8)}  ${text}`)
    if (events.length > 6) events.shift()
    if (io.terminal === undefined) io.out(`${text}\n`)
  }
  const stopped = io.interrupted()
  const live = io.terminal === undefined ? undefined : screen((text) => io.out(text), io.terminal)
  const draw = (): void => {
    const heard = ({ answers }: { readonly answers: ReadonlyMap<string, number> }): string =>
      [...answers]
        .sort()
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')
    const page = [
      renderStatus(node.status(), paint, Date.now()),
      `answers heard by the demo's clients: ${heard(traffic.tcp)}; UDP: ${traffic.udp.answers.get('dora') ?? 0}; lost: ${traffic.tcp.failures.length}`,
      `over HTTP: ${heard(web)}; lost: ${web.failures.length}`,
      '',
      ...events.map((event) => paint.dim(event)),
      '',
      ...suggestions(echo, ports).map(
        (line, index) => `${index === 0 ? 'try it:' : '       '}  ${paint.bold(line)}`,
      ),
      paint.dim(`the document is ${file}; Ctrl-C ends the demo`),
      '',
    ].join('\n')
    if (live === undefined) io.out(`${page}\n`)
    else live.draw(page)
  }

  note('a backend will be killed now and then, and come back')
  const [anna, bert, carl] = echo
  const story = tell([anna!, shop[0]!, bert!, shop[1]!, carl!], note, io, stopped)
  while (!stopped.aborted) {
    draw()
    await io.pause(live === undefined ? 5000 : 500, stopped)
  }
  await story
  live?.[Symbol.dispose]()
  io.out('stopping\n')
}

/** What somebody may type into another terminal. */
function suggestions(echo: readonly DemoBackend[], { tcp, http, admin }: DemoPorts): string[] {
  const victim = echo.find(({ pid }) => pid !== undefined)
  const where = admin === 9901 ? '' : ` --admin 127.0.0.1:${admin}`
  return [
    `nc 127.0.0.1 ${tcp}`,
    `curl http://shop.localhost:${http}/`,
    `npm run steelyard -- explain http://api.localhost:${http}/v1/items${where}`,
    ...(victim === undefined ? [] : [`kill -9 ${victim.pid}`]),
    `npm run steelyard -- drain echo/carl${where}`,
  ]
}

async function tell(
  backends: readonly DemoBackend[],
  note: (text: string) => void,
  { pause }: LiveIo,
  signal: AbortSignal,
): Promise<void> {
  for (let turn = 0; ; turn++) {
    const backend = backends[turn % backends.length]!
    await pause(storyMs.calm, signal)
    if (signal.aborted) return
    for (const dead of backends.filter(({ pid }) => pid === undefined)) {
      await dead.revive()
      note(`${dead.name} was found dead, and started again`)
    }
    await backend.kill()
    note(`${backend.name} was killed: its traffic moves to the others`)
    await pause(storyMs.dead, signal)
    if (signal.aborted) return
    await backend.revive()
    note(`${backend.name} was started again`)
  }
}
