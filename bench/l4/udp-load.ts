import { createSocket } from 'node:dgram'

// Keeps `window` datagrams of 64 bytes in flight on each of `flows` sockets for `seconds`, and prints the
// round trips as JSON. A lost datagram is sent anew after 200 ms, and counted.
const [port, flows, window, seconds] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
  number,
]
const payload = Buffer.alloc(64, 7)
let trips = 0
let lost = 0
let running = true

for (let flow = 0; flow < flows; flow++) {
  const socket = createSocket('udp4')
  let inFlight = 0
  let heardAt = performance.now()
  const fill = (): void => {
    for (; running && inFlight < window; inFlight++) socket.send(payload)
  }
  socket.on('message', () => {
    trips += 1
    inFlight -= 1
    heardAt = performance.now()
    fill()
  })
  socket.on('error', () => {})
  socket.connect(port, '127.0.0.1', fill)
  setInterval(() => {
    if (performance.now() - heardAt < 200) return
    lost += inFlight
    inFlight = 0
    fill()
  }, 200)
}

setTimeout(() => {
  running = false
  console.log(JSON.stringify({ trips, lost, seconds }))
  process.exit(0)
}, seconds * 1000)
