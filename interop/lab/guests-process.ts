// Guests for a network namespace: connections that stay, send what they are told and tell what they hear.
// Arguments: host, port, how many. Each line of the standard input is sent by all of them. Tells one JSON a
// line; a connection's last is how it ended: `end` for FIN, or the code of its failure.
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import type { GuestNews } from './guests.ts'

const [host = '', port = '', count = ''] = process.argv.slice(2)

function tell(news: GuestNews): void {
  process.stdout.write(`${JSON.stringify(news)}\n`)
}

const sockets = Array.from({ length: Number(count) }, (_, guest) => {
  const socket = connect({ host, port: Number(port) })
  let ended: string | undefined
  socket.setEncoding('utf8')
  socket.on('data', (heard: string) => tell({ guest, heard }))
  socket.on('end', () => (ended ??= 'end'))
  socket.on('error', (error: NodeJS.ErrnoException) => (ended ??= error.code ?? error.message))
  socket.on('close', () => tell({ guest, ended: ended ?? 'closed' }))
  return socket
})
for await (const line of createInterface({ input: process.stdin })) {
  for (const socket of sockets) if (socket.writable) socket.write(`${line}\n`)
}
for (const socket of sockets) socket.end()
