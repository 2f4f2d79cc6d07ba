import {
  after,
  attempts,
  before,
  failure,
  type Hook,
  type Phase,
  tunnel,
} from './exchange-phases.ts'

// Everything below is geometry: what the picture says stands in exchange-phases.ts.

interface Box {
  readonly phase: Phase
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const page = { width: 1060 }
const lane = { left: 64, right: 680, width: 350 }
const middle = { x: 448, width: 198 }
const gap = 16
const line = 17
const title = { top: 23, hooks: 22 }

const clients = { y: 24, height: 40 }
const lanesTop = 104
const frame = { top: 30, side: 12, bottom: 12 }

/** The life of an exchange, as SVG. */
export function exchangePicture(): string {
  const first = stack(before, lane.left, lanesTop)
  const frameTop = bottomOf(first) + gap + 4
  const tries = stack(attempts, lane.left, frameTop + frame.top)
  const frameBottom = bottomOf(tries) + frame.bottom
  const backendTop = frameBottom + 40
  const back = spread([...after].reverse(), lane.right, lanesTop, frameBottom)
  const answer = answerBox(first)
  const failed = middleBox(failure, tries[0]!.y)
  const pipe = middleBox(tunnel, frameBottom)
  const tunnelBox = { ...pipe, y: frameBottom - pipe.height }
  const height = backendTop + 40 + 56
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${page.width} ${height}" role="img" aria-labelledby="title description">`,
    '<title id="title">The life of an exchange</title>',
    `<desc id="description">${description()}</desc>`,
    style,
    markers,
    `<rect class="page" x="1" y="1" width="${page.width - 2}" height="${height - 2}" rx="12"/>`,
    bar('client', clients.y),
    bar('backend', backendTop),
    heading(lane.left, 'to the backend'),
    heading(lane.right, 'back to the client'),
    `<rect class="frame" x="${lane.left - frame.side}" y="${frameTop}" width="${lane.width + 2 * frame.side}" height="${frameBottom - frameTop}" rx="10"/>`,
    text('said', lane.left + 14, frameTop + 20, 'each attempt'),
    text('said', lane.left + lane.width / 2 + 14, frameTop + 20, 'retries: within the budget'),
    ...[...first, ...tries, ...back, failed, tunnelBox].map(boxed),
    plainBox(answer, 'an answer of our own', ['a reply, with an error page', 'where there is one']),
    ...down([...first, ...tries], clients.y + clients.height, backendTop),
    ...up([...back].reverse(), backendTop, clients.y + clients.height),
    ...answers(first, answer),
    retryLoop(tries),
    arrow('word', `M${lane.left + lane.width + frame.side} ${middleOf(failed)}H${failed.x - 4}`),
    arrow('word', `M${centreOf(failed)} ${failed.y}V${answer.y + answer.height + 4}`),
    arrow('bytes', `M${centreOf(tunnelBox)} ${backendTop}V${frameBottom + 4}`),
    toHead(answer, back),
    ...legend(backendTop + 40 + 24),
    '</svg>',
    '',
  ].join('\n')
}

function stack(phases: readonly Phase[], x: number, from: number): Box[] {
  let y = from
  return phases.map((phase) => {
    const box = { phase, x, y, width: lane.width, height: heightOf(phase) }
    y += box.height + gap
    return box
  })
}

/** From top to bottom, with equal room between them. */
function spread(phases: readonly Phase[], x: number, top: number, bottom: number): Box[] {
  const used = phases.reduce((sum, phase) => sum + heightOf(phase), 0)
  const between = (bottom - top - used) / (phases.length - 1)
  let y = top
  return phases.map((phase) => {
    const box = { phase, x, y: Math.round(y), width: lane.width, height: heightOf(phase) }
    y += box.height + between
    return box
  })
}

function heightOf({ hooks, notes }: Phase): number {
  const onTitle = notes.length > 0 || hooks.length > 0 ? 16 : 12
  return title.top + onTitle + line * (notes.length - 1) + 12
}

function answerBox(first: readonly Box[]): Box {
  const asking = first.filter(({ phase }) => phase.answers === true)
  const y = asking[0]!.y
  return { phase: failure, ...middle, y, height: bottomOf(asking) - y }
}

function middleBox(phase: Phase, y: number): Box {
  const hooksLine = phase.hooks.length > 0 ? title.hooks : 0
  return { phase, ...middle, y, height: heightOf(phase) + hooksLine }
}

function boxed(box: Box): string {
  const { phase, x, y, width } = box
  const { hooks, notes } = phase
  const narrow = width < lane.width
  const named = narrow
    ? hookNames(hooks, x + 14, y + title.top + title.hooks, 'start')
    : hookNames(hooks, x + width - 12, y + title.top, 'end')
  const notesTop = y + title.top + 19 + (narrow && hooks.length > 0 ? title.hooks : 0)
  return [
    `<rect class="${hooks.length > 0 ? 'asks' : 'box'}" x="${x}" y="${y}" width="${width}" height="${box.height}" rx="8"/>`,
    text('name', x + 14, y + title.top, phase.title),
    named,
    ...notes.map((note, index) => text('note', x + 14, notesTop + line * index, note)),
  ].join('\n')
}

function plainBox({ x, y, width, height }: Box, name: string, notes: readonly string[]): string {
  const top = y + (height - line * notes.length) / 2 + 4
  return [
    `<rect class="own" x="${x}" y="${y}" width="${width}" height="${height}" rx="8"/>`,
    text('name', x + 14, top, name),
    ...notes.map((note, index) => text('note', x + 14, top + 19 + line * index, note)),
  ].join('\n')
}

function hookNames(hooks: readonly Hook[], x: number, y: number, anchor: string): string {
  if (hooks.length === 0) return ''
  const names = hooks
    .map(({ name, order }) => {
      const marks = order === 'given' ? '1…n' : 'n…1'
      return `<tspan class="hook">${name}</tspan><tspan class="order"> ${marks}</tspan>`
    })
    .join('<tspan>  </tspan>')
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" xml:space="preserve">${names}</text>`
}

function bar(name: string, y: number): string {
  const width = lane.right + lane.width - lane.left
  return [
    `<rect class="end" x="${lane.left}" y="${y}" width="${width}" height="40" rx="8"/>`,
    `<text class="name" x="${lane.left + width / 2}" y="${y + 25}" text-anchor="middle">${name}</text>`,
  ].join('\n')
}

function heading(x: number, words: string): string {
  return text('said', x + lane.width / 2 + 14, lanesTop - 16, words)
}

function down(boxes: readonly Box[], from: number, to: number): string[] {
  return links(boxes, from, to, (a, b) => `M${lane.left + lane.width / 2} ${a}V${b - 4}`)
}

/** The boxes come from top to bottom; the arrows go the other way. */
function up(boxes: readonly Box[], from: number, to: number): string[] {
  const x = lane.right + lane.width / 2
  const ordered = [...boxes].reverse()
  return links(ordered, to, from, (a, b) => `M${x} ${b}V${a + 4}`)
}

function links(
  boxes: readonly Box[],
  top: number,
  bottom: number,
  path: (from: number, to: number) => string,
): string[] {
  const ends = [...boxes.map(({ y }) => y), bottom]
  const starts = [top, ...boxes.map(({ y, height }) => y + height)]
  return starts.map((start, index) => arrow('bytes', path(start, ends[index]!)))
}

function answers(first: readonly Box[], { x }: Box): string[] {
  return first
    .filter(({ phase }) => phase.answers === true)
    .map((box) => arrow('word', `M${box.x + box.width} ${middleOf(box)}H${x - 4}`))
}

/** From the last step of an attempt to the first of the next. */
function retryLoop(tries: readonly Box[]): string {
  const from = middleOf(tries.at(-1)!)
  const to = middleOf(tries[0]!)
  const x = lane.left - frame.side - 16
  const path = `M${lane.left} ${from}H${x + 8}Q${x} ${from} ${x} ${from - 8}V${to + 8}Q${x} ${to} ${x + 8} ${to}H${lane.left - 4}`
  const at = (from + to) / 2
  return [
    arrow('word', path),
    `<text class="said" transform="translate(${x - 6} ${at}) rotate(-90)" text-anchor="middle">failed: the next candidate</text>`,
  ].join('\n')
}

function toHead(answer: Box, back: readonly Box[]): string {
  const head = back.find(({ phase }) => phase.hooks.some(({ name }) => name === 'responseHead'))!
  const from = answer.y + answer.height / 2
  const x = (answer.x + answer.width + head.x) / 2
  return arrow('word', `M${answer.x + answer.width} ${from}H${x}V${middleOf(head)}H${head.x - 4}`)
}

function legend(y: number): string[] {
  return [
    `<rect class="asks" x="${lane.left}" y="${y - 12}" width="26" height="16" rx="4"/>`,
    `<text x="${lane.left + 36}" y="${y}" xml:space="preserve"><tspan class="note">asks the hooks named; </tspan><tspan class="order">1…n</tspan><tspan class="note"> in the order given, the balancer’s before the route’s; </tspan><tspan class="order">n…1</tspan><tspan class="note"> in the opposite order.</tspan></text>`,
    text(
      'note',
      lane.left + 36,
      y + 18,
      'A hook may return a promise where its type says so; one that throws makes it 500 (hook-failed). A client that leaves ends it anywhere.',
    ),
  ]
}

function description(): string {
  const said = [...before, ...attempts, ...after].map(({ title: name, hooks }) =>
    hooks.length === 0 ? name : `${name} (${hooks.map((hook) => hook.name).join(', ')})`,
  )
  return `From the client to the backend and back: ${said.join(', ')}. An attempt that fails is repeated with the next candidate, or ends in a failure (failed), which is answered.`
}

function text(kind: string, x: number, y: number, words: string): string {
  return `<text class="${kind}" x="${x}" y="${y}">${words}</text>`
}

function arrow(kind: 'bytes' | 'word', path: string): string {
  return `<path class="${kind}" d="${path}" marker-end="url(#${kind})"/>`
}

function bottomOf(boxes: readonly Box[]): number {
  const { y, height } = boxes.at(-1)!
  return y + height
}

function middleOf({ y, height }: Box): number {
  return y + height / 2
}

function centreOf({ x, width }: Box): number {
  return x + width / 2
}

const style = `<style>
  .page { fill: #fbfaf7; stroke: #d9d4c7; }
  .box { fill: #ffffff; stroke: #8a9aab; stroke-width: 1.5; }
  .asks { fill: #e8eff6; stroke: #3f5a73; stroke-width: 2; }
  .own { fill: #f6ece3; stroke: #b4532a; stroke-width: 1.5; }
  .end { fill: #f2efe6; stroke: #8a8577; stroke-width: 1.5; }
  .frame { fill: none; stroke: #8a8577; stroke-width: 1.5; stroke-dasharray: 5 4; }
  .name { font: 600 14.5px ui-sans-serif, system-ui, sans-serif; fill: #1f2d3a; }
  .note { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #4b5661; }
  .said { font: italic 12px ui-sans-serif, system-ui, sans-serif; fill: #4b5661; }
  .hook { font: 600 12px ui-monospace, monospace; fill: #244f7a; }
  .order { font: 11px ui-monospace, monospace; fill: #6b5a3a; }
  .bytes { stroke: #b4532a; stroke-width: 2.5; fill: none; }
  .word { stroke: #3f5a73; stroke-width: 1.5; fill: none; }
  .bytes-head { fill: #b4532a; }
  .word-head { fill: #3f5a73; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #161b22; stroke: #343c46; }
    .box { fill: #1f2731; stroke: #64788c; }
    .asks { fill: #22374b; stroke: #8fb0cf; }
    .own { fill: #33261f; stroke: #e58a5e; }
    .end { fill: #2a2822; stroke: #948e7f; }
    .frame { stroke: #948e7f; }
    .name { fill: #e8edf2; }
    .note, .said { fill: #b9c3cd; }
    .hook { fill: #a9d0f5; }
    .order { fill: #d3bd8d; }
    .bytes { stroke: #e58a5e; }
    .word { stroke: #8fb0cf; }
    .bytes-head { fill: #e58a5e; }
    .word-head { fill: #8fb0cf; }
  }
</style>`

const markers = `<defs>
  <marker id="bytes" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="4.5" markerHeight="4.5" orient="auto"><path class="bytes-head" d="M0 0 10 5 0 10z"/></marker>
  <marker id="word" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path class="word-head" d="M0 0 10 5 0 10z"/></marker>
</defs>`
