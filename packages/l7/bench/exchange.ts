// What one exchange over HTTP/1.1 costs without sockets: a stub of a transport hands the bytes over at once.
// Usage: node --conditions=@steelyard/source packages/l7/bench/exchange.ts [seconds]
import {
  type AcceptHandler,
  pool,
  type SocketAddress,
  type Stream,
  type StreamHandler,
  type Transport,
} from '@steelyard/core'
import { all, forward, host, httpBalancer, path, route } from '@steelyard/l7'

const address: SocketAddress = { address: '127.0.0.1', port: 80, family: 4 }
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0))
const request = ascii(
  [
    'GET /abc/def HTTP/1.1',
    'Host: www.example.com',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) wrk/4.1.0',
    'Accept: text/html,application/xhtml+xml,*/*;q=0.8',
    'Accept-Language: en-US,en;q=0.5',
    'Accept-Encoding: gzip, deflate, br',
    'Cookie: session=0123456789abcdef; theme=dark',
    'Cache-Control: max-age=0',
    '',
    '',
  ].join('\r\n'),
)
const response = ascii(
  [
    'HTTP/1.1 200 OK',
    'Server: nginx/1.22.1',
    'Date: Sat, 21 Nov 2026 11:45:30 GMT',
    'Content-Type: text/plain',
    'Content-Length: 1024',
    'Connection: keep-alive',
    'X-Request-Id: 0123456789abcdef',
    '',
    'x'.repeat(1024),
  ].join('\r\n'),
)

/** An end that notes what is written; nothing is ever full. */
class StubStream implements Stream {
  readonly local = address
  readonly remote = address
  context: unknown = undefined
  state: 'connecting' | 'open' | 'closed' = 'open'
  readonly ended = false
  bytesRead = 0
  bytesWritten = 0
  readonly pending = 0
  handler: StreamHandler
  readonly written: (() => void) | undefined

  constructor(handler: StreamHandler, written?: () => void) {
    this.handler = handler
    this.written = written
  }

  write(bytes: Uint8Array): boolean {
    this.bytesWritten += bytes.length
    this.written?.()
    return true
  }

  end(): void {}
  reset(): void {}
  destroy(): void {}
  pause(): void {}
  resume(): void {}
}

let acceptor: AcceptHandler | undefined
const waiting: StubStream[] = []
const transport = {
  name: 'stub',
  listen(_: unknown, handler: AcceptHandler) {
    acceptor = handler
    return Promise.resolve({ address, pause() {}, resume() {}, close: () => Promise.resolve() })
  },
  connect(_: unknown, handler: StreamHandler) {
    const stream: StubStream = new StubStream(handler, () => waiting.push(stream))
    queueMicrotask(() => handler.opened?.(stream))
    return stream
  },
} as unknown as Transport

const nobody: StreamHandler = { data() {}, ended() {}, drained() {}, closed() {} }
const members = pool({ backends: ['127.0.0.1:81'] })
await using edge = httpBalancer({
  listen: '127.0.0.1:80',
  routes: [route(all(host('www.example.com'), path('/*')), forward(members))],
  transport,
  drain: 0,
})
await edge.start()

const clients = Array.from({ length: 64 }, () => {
  const stream = new StubStream(nobody)
  acceptor!.accepted(stream)
  return stream
})

/** Answers everybody who has asked. */
function answer(): void {
  for (let stream = waiting.pop(); stream !== undefined; stream = waiting.pop()) {
    stream.handler.data(stream, response)
  }
}

async function round(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    for (const client of clients) client.handler.data(client, request)
    if (waiting.length < clients.length) await Promise.resolve()
    answer()
  }
}

const seconds = Number(process.argv[2] ?? 3)
await round(2000)
const figures: number[] = []
for (let i = 0; i < seconds * 4; i++) {
  const before = clients[0]!.bytesWritten
  const began = performance.now()
  await round(300)
  const ns = ((performance.now() - began) * 1e6) / (300 * clients.length)
  if (clients[0]!.bytesWritten - before < 300 * 1024) throw new Error('answers are missing')
  figures.push(ns)
}
figures.sort((a, b) => a - b)
console.log(
  `an exchange: ${Math.round(figures[0]!)} ns at best, ${Math.round(figures[figures.length >> 1]!)} ns in the middle`,
)
