// A stranger's program: an HTTP router with a policy and a redirect in front of one backend, then a drain.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { pool } from '@steelyard/core'
import { always, compression, forward, httpBalancer, path, redirect, route } from '@steelyard/l7'

const server = createServer((request, response) => {
  response.setHeader('content-type', 'text/plain')
  response.end(
    `${request.method} ${request.url} for ${String(request.headers['x-forwarded-for'])} `.repeat(
      99,
    ),
  )
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const site = pool({ backends: [`127.0.0.1:${server.address().port}`] })
const edge = await httpBalancer({
  listen: '127.0.0.1:0',
  use: [compression()],
  routes: [route(path('/old/*'), redirect('/new/', 308)), route(always, forward(site))],
}).start()

const origin = `http://127.0.0.1:${edge.address.port}`
const moved = await fetch(`${origin}/old/a`, { redirect: 'manual' })
const found = await fetch(`${origin}/b`)
const first = (await found.text()).split(' ', 4).join(' ')
process.stdout.write(
  `${moved.status}, ${found.status} ${found.headers.get('content-encoding')}: ${first}`,
)

await edge.stop({ drain: 0 })
server.close()
server.closeAllConnections()
