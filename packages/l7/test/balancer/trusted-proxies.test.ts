import { describe, expect, it } from 'vitest'
import { get, type Rig, rig, text } from './rig.ts'

// A balancer of TCP in front says by a PROXY header who its client is, and passes on whatever that client says itself.

const balancer = { address: '10.9.0.1', port: 4000, family: 4 } as const

function behindBalancer(): Promise<Rig> {
  return rig({
    acceptProxy: { from: ['10.9.0.0/24'] },
    trustedProxies: ['10.9.0.0/24'],
    forwarding: { fields: ['for', 'proto', 'real-ip'], via: 'none' },
  })
}

/** What a backend is told when that client claims to speak for 192.0.2.66. */
async function toldFor(r: Rig, source: string): Promise<string> {
  const client = r.network.client(r.edge.address!, balancer)
  const claims = [
    'X-Forwarded-For: 192.0.2.66',
    'X-Forwarded-Proto: https',
    'X-Real-IP: 192.0.2.66',
  ]
  await r.say(client, `PROXY TCP4 ${source} 10.0.0.1 5000 80\r\n${get('/', ...claims)}`)
  return text(await r.accept())
}

describe('trustedProxies behind a PROXY header', () => {
  it('does not believe a stranger because the balancer in front is trusted', async () => {
    await using r = await behindBalancer()
    const told = await toldFor(r, '203.0.113.7')
    expect(told).not.toContain('192.0.2.66')
    expect(told).toContain('\r\nX-Forwarded-For: 203.0.113.7\r\n')
    expect(told).toContain('\r\nX-Forwarded-Proto: http\r\n')
    expect(told).toContain('\r\nX-Real-IP: 203.0.113.7\r\n')
  })

  it('believes a trusted proxy that comes by it', async () => {
    await using r = await behindBalancer()
    const told = await toldFor(r, '10.9.0.5')
    expect(told).toContain('\r\nX-Forwarded-For: 192.0.2.66, 10.9.0.5\r\n')
    expect(told).toContain('\r\nX-Forwarded-Proto: https\r\n')
    expect(told).toContain('\r\nX-Real-IP: 192.0.2.66\r\n')
  })
})
