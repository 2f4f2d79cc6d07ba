import { createSocket } from 'node:dgram'

// The UDP backend: sends everything back.
const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 ** 2 })
socket.on('message', (message, { port, address }) => socket.send(message, port, address))
socket.bind(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'))
