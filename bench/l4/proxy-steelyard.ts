import { leastConnections, pool } from '@steelyard/core'
import { tcpCheck } from '@steelyard/health'
import { tcpBalancer, udpBalancer } from '@steelyard/l4'

// One balancer as its users would run it: least connections, an active check, timeouts on.
const [listen, backend, protocol] = process.argv.slice(2)
const backends = [`127.0.0.1:${backend}`]

if (protocol === 'udp') {
  await udpBalancer({ listen: `127.0.0.1:${listen}`, pool: pool({ backends }) }).start()
} else {
  const web = pool({ backends, pick: leastConnections(), check: tcpCheck({ every: '2s' }) })
  await tcpBalancer({
    listen: `127.0.0.1:${listen}`,
    pool: web,
    timeouts: { connect: '5s', client: '50s', server: '50s' },
  }).start()
}
console.log('listening')
