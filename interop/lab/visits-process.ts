// Visitors for a network namespace: a new connection every few milliseconds, which waits for a greeting and
// leaves. Arguments: host, port, milliseconds between two visits, milliseconds that a visitor waits. Tells
// one JSON a line for each visit, and ends when its standard input does and all visits are over.
import { connect } from 'node:net'
import type { Visit } from './visits.ts'

const [host = '', port = '', everyMs = '', patienceMs = ''] = process.argv.slice(2)
let under = 0
let last = false

function visit(): void {
  const at = Date.now()
  const started = performance.now()
  const socket = connect({ host, port: Number(port) })
  let over = false
  under += 1
  const end = (outcome: { who: string } | { error: string }): void => {
    if (over) return
    over = true
    under -= 1
    clearTimeout(timer)
    socket.destroy()
    const told: Visit = { at, ms: performance.now() - started, ...outcome }
    process.stdout.write(`${JSON.stringify(told)}\n`)
  }
  const timer = setTimeout(() => end({ error: 'no answer' }), Number(patienceMs))
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => end({ who: text.split(' ')[0]! }))
  socket.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? error.message }))
  socket.on('close', () => end({ error: 'closed' }))
}

const timer = setInterval(() => {
  if (!last) visit()
  else if (under === 0) clearInterval(timer)
}, Number(everyMs))
process.stdin.on('end', () => (last = true))
process.stdin.resume()
