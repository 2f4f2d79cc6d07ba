import { pool } from '@steelyard/core'
import { forward, host, all, path, httpBalancer, route } from './src/index.ts'
const p = pool({ backends: [process.argv[2] ?? '127.0.0.1:9001'] })
const edge = await httpBalancer({ listen: `127.0.0.1:${process.argv[3] ?? 9000}`, forwarding: { fields: ['for'], via: 'none' }, routes: [route(all(host('127.0.0.1', 'localhost'), path('/*')), forward(p))] }).start()
console.log('ready', edge.address!.port)
process.on('SIGTERM', () => process.exit())
