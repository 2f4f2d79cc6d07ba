// An HTTP balancer in a process of its own, so that its memory can be looked at from outside. Its first argument is an
// HttpPlan in JSON; it tells its port on its standard output, and ends when its standard input does.
import { pool } from '@steelyard/core'
import { always, forward, httpBalancer, route, type UpstreamOptions } from '@steelyard/l7'

/** What an HTTP balancer in a process of its own does. */
export interface HttpPlan {
  readonly backends: readonly string[]
  readonly upstream: UpstreamOptions
}

const { backends, upstream } = JSON.parse(process.argv[2]!) as HttpPlan
const balancer = await httpBalancer({
  listen: '127.0.0.1:0',
  http2: 'prior-knowledge',
  routes: [route(always, forward(pool({ backends }), { upstream }))],
  drain: 0,
}).start()
process.stdout.write(`port ${balancer.address!.port}\n`)
for await (const _ of process.stdin);
await balancer.stop()
process.exitCode = 0
