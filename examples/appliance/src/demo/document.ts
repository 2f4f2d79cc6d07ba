import type { DemoBackend } from './backends.ts'

/** Ports of the demo's listeners. */
export interface DemoPorts {
  readonly tcp: number
  readonly udp: number
  readonly admin: number
}

/** The demo's document, as somebody would write it. */
export function demoDocument(
  tcp: readonly DemoBackend[],
  udp: DemoBackend,
  ports: DemoPorts,
): string {
  return `# The demo of the Steelyard appliance. Change it while the demo runs: it is reloaded.
version: 1
node: { name: demo, drain: 5s }
admin: { listen: 127.0.0.1:${ports.admin} }
loadBalancers:
  - name: demo
    vip: 127.0.0.1
    listeners:
      - { name: echo, protocol: tcp, port: ${ports.tcp}, pool: echo }
      - { name: time, protocol: udp, port: ${ports.udp}, pool: time, udp: { idleTimeout: 10s } }
pools:
  - name: echo
    algorithm: round-robin
    members:
${tcp.map(({ name, port }) => `      - { id: ${name}, address: 127.0.0.1:${port} }`).join('\n')}
    health: { type: tcp, interval: 500ms, fastInterval: 200ms, timeout: 200ms, rise: 2, fall: 2 }
  - name: time
    members:
      - { id: ${udp.name}, address: 127.0.0.1:${udp.port} }
    health: { type: udp, mode: reply, send: ping, interval: 500ms, timeout: 400ms, rise: 2, fall: 2 }
`
}
