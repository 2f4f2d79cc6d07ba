// A member that can be killed: `address port file`. What POST brings it writes down at once, so that nobody can doubt
// what it had when it was killed; then it thinks for a moment.
import { openSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'

const [, , host = '', port = '', file = ''] = process.argv
const log = openSync(file, 'a')
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  let body = ''
  request.on('data', (bytes: Buffer) => (body += bytes.toString()))
  request.on('end', () => {
    if (request.method === 'POST') writeSync(log, `${body}\n`)
    setTimeout(() => response.end(host), 5)
  })
})
server.listen({ port: Number(port), host, backlog: 511 }, () => process.stdout.write('ready\n'))
