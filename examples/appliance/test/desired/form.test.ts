import { describe, expect, it } from 'vitest'
import { parse } from '../../src/desired/parse.ts'
import { fullDocument, issueDocument } from './issue-document.ts'

/** Findings of a document in which one text was replaced by another. */
function changed(before: string, after: string, document: string = fullDocument): string[] {
  expect(document).toContain(before)
  return parse(document.replace(before, after), 'lb.yaml').findings.map(
    ({ code, path, message, hint }) => `${code} ${path}: ${message} (${hint})`,
  )
}

describe('the form of a document', () => {
  it('is right in both examples', () => {
    expect(parse(issueDocument, 'lb.yaml').findings).toEqual([])
    expect(parse(fullDocument, 'lb.yaml').findings).toEqual([])
  })

  it('reads durations, sizes and addresses once, and fills in defaults', () => {
    const { document } = parse(issueDocument, 'lb.yaml')
    const [listener] = document!.loadBalancers[0]!.listeners
    expect(listener).toMatchObject({ enabled: true, backlog: 4096, whenDown: 'keep' })
    expect(listener).toHaveProperty('timeouts', {
      connect: 5000,
      client: 50_000,
      server: 50_000,
      halfClosed: 60_000,
      total: 0,
      preread: 5000,
      queue: 5000,
    })
    expect(document!.node).toEqual({
      name: 'lb-a',
      connectionLimit: 0,
      drain: 30_000,
      logLevel: 'info',
    })
    const full = parse(fullDocument, 'lb.yaml').document!
    expect(full.pools[0]!.members[1]).toBe('127.0.0.1:7002')
    expect(full.loadBalancers[0]!.listeners[0]).toHaveProperty('bandwidth', 10 * 1024 * 1024)
    expect(full.loadBalancers[1]!.listeners[0]).toHaveProperty(
      'udp.buffers.receive',
      8 * 1024 * 1024,
    )
  })

  it.each([
    // Unknown and missing keys.
    [
      'quorum: 50%',
      'quorom: 50%',
      'unknown-key pools[0].quorom: unknown key "quorom" in pool (did you mean "quorum"?)',
    ],
    [
      'quorum: 50%',
      'snat: [10.0.0.1]',
      'unknown-key pools[0].snat: unknown key "snat" in pool (write "sourceAddresses")',
    ],
    [
      'name: lb-a,',
      '',
      'missing-key node.name: node needs "name" (add it, for example "name: lb-a")',
    ],
    [
      '{ name: lb-a,',
      '{ nmae: lb-a,',
      'unknown-key node.nmae: unknown key "nmae" in node (did you mean "name"?)',
    ],
    [
      'protocol: udp',
      'protocl: udp',
      'unknown-key loadBalancers[1].listeners[0].protocl: unknown key "protocl" in listener (did you mean "protocol"?)',
    ],
    // Kinds.
    [
      'protocol: udp',
      'protocol: upd',
      'unknown-value loadBalancers[1].listeners[0].protocol: "upd" is no listener (did you mean "udp"?)',
    ],
    [
      'type: http,',
      'type: ftp,',
      'unknown-value pools[4].health.type: "ftp" is no health check (write one of tcp, tcp-script, tls, http, https, udp, script, all-of, any-of, at-least)',
    ],
    [
      'algorithm: maglev',
      'algorithm: maglv',
      'unknown-value pools[1].algorithm: "maglv" is no algorithm (did you mean "maglev"?)',
    ],
    [
      'port: 53\n',
      'port: 53\n        routes: []\n',
      'option-not-applicable loadBalancers[1].listeners[0].routes: "routes" is an option of a TLS listener, not of a UDP listener (remove it, or choose the kind that has it)',
    ],
    [
      'mode: passthrough,',
      'mode: passthrough, alpn: [h2],',
      'option-not-applicable loadBalancers[2].listeners[0].tls.alpn: "alpn" is an option of a termination, not of a pass-through (remove it, or choose the kind that has it)',
    ],
    // Types.
    [
      'backlog: 1024',
      'backlog: "1024"',
      'wrong-type loadBalancers[0].listeners[0].backlog: backlog must be a number, not "1024" (remove the quotes)',
    ],
    [
      'reusePort: true',
      'reusePort: yes',
      'wrong-type loadBalancers[0].listeners[0].reusePort: reuse port must be true or false, not "yes" (write true)',
    ],
    [
      'allow: [127.0.0.0/8]',
      'allow: 127.0.0.0/8',
      'wrong-type loadBalancers[0].listeners[0].acl.allow: allow must be a list, not "127.0.0.0/8" (write a list, even of one: [127.0.0.0/8])',
    ],
    [
      '- name: names',
      '- name: 7',
      'wrong-type loadBalancers[1].name: name must be text, not 7 (put it in quotes: "7")',
    ],
    [
      'algorithm: maglev',
      'algorithm:',
      'wrong-type pools[1].algorithm: algorithm has no value (write one, such as "round-robin", or remove the key)',
    ],
    [
      '[127.0.0.1:5301]',
      'nobody',
      'wrong-type pools[1].members: members must be a list, not "nobody" (write a list, even of one: [nobody])',
    ],
    // Ranges.
    [
      'weight: 2',
      'weight: 65536',
      'out-of-range pools[0].members[0].weight: weight must be a whole number from 0 to 65535, not 65536 (The share of the traffic; 0 drains the member.)',
    ],
    [
      'weight: 2',
      'weight: 1.5',
      'out-of-range pools[0].members[0].weight: weight must be a whole number from 0 to 65535, not 1.5 (The share of the traffic; 0 drains the member.)',
    ],
    [
      'port: 53\n',
      'port: 0\n',
      'out-of-range loadBalancers[1].listeners[0].port: port must be a whole number from 1 to 65535, not 0 (The port on the address of the load balancer. Default: none; then "listen" says where.)',
    ],
    [
      'idleTimeout: 5s',
      'idleTimeout: 0s',
      'out-of-range loadBalancers[1].listeners[0].udp.idleTimeout: idle timeout must be a value from 1ms to 24d, not "0s" (A session ends when nothing came either way for so long.)',
    ],
    [
      'drain: 10s',
      'drain: 25d',
      'out-of-range loadBalancers[0].listeners[0].drain: drain time must be a value from 0ms to 24d, not "25d" (How long open connections may go on after the listener was stopped or removed. Default: the node\'s drain time.)',
    ],
    [
      'addresses: [127.0.0.10-127.0.0.20]',
      'addresses: []',
      'out-of-range addressPools[0].addresses: addresses needs at least 1 entry, not 0 (for example: ["127.0.0.10-127.0.0.20"])',
    ],
    [
      'boundedLoad: 1.25',
      'boundedLoad: -1',
      'out-of-range pools[0].boundedLoad: bounded load must be a value from 0 to 1000, not -1 (A member gets at most this factor times its share of the connections: 0 for off, or above 1, usually 1.25 to 2.)',
    ],
    // Texts with a form.
    [
      'slowStart: 30s',
      'slowStart: 30 s',
      'invalid-value pools[0].slowStart: "30 s" is not a duration (write a number and a unit, such as 500ms, 5s, 1m30s or 2h)',
    ],
    [
      'bandwidth: 10MiB',
      'bandwidth: 10XB',
      'invalid-value loadBalancers[0].listeners[0].bandwidth: "10XB" is not a size (write whole bytes or a unit, such as 16384, 64KiB, 1MiB or 10MB)',
    ],
    [
      'deny: [127.6.0.0/16]',
      'deny: [127.6.0.0/33]',
      'invalid-value loadBalancers[0].listeners[0].acl.deny[0]: "127.6.0.0/33" is not a block of addresses (write 192.0.2.0/24, 2001:db8::/32 or one address)',
    ],
    [
      '127.0.0.10-127.0.0.20',
      '127.0.0.20-127.0.0.10',
      'invalid-value addressPools[0].addresses[0]: "127.0.0.20-127.0.0.10" ends before it begins (write the lower address first)',
    ],
    [
      '- 127.0.0.1:7002',
      '- 127.0.0.1',
      'invalid-value pools[0].members[1]: "127.0.0.1" is not an endpoint (write host:port, [v6]:port or unix:/path)',
    ],
    [
      '- 127.0.0.1:7002',
      '- 127.0.0.1:0',
      'invalid-value pools[0].members[1]: "127.0.0.1:0" needs a port (write one from 1 to 65535)',
    ],
    [
      '"*.b.example.com"',
      '"*.*.example.com"',
      'invalid-value loadBalancers[2].listeners[0].routes[0].sni[1]: "*.*.example.com" is not a server name (write www.example.com or *.example.com)',
    ],
    [
      'listen: "fd:redis"',
      'listen: "fd:"',
      'invalid-value loadBalancers[0].listeners[2].listen: "fd:" is no place to listen (write unix:/path, fd:3 or fd:name)',
    ],
    [
      'quorum: 50%',
      'quorum: 150%',
      'invalid-value pools[0].quorum: "150%" is not a quorum (use a whole number from 1, or 1% to 100%)',
    ],
    [
      '[200-299, 304]',
      '[200-699]',
      'invalid-value pools[2].health.checks[1].expect[0]: "200-699" is not an HTTP status (write 200, or a range such as 200-299)',
    ],
    [
      '{ regex: ok }',
      '{ regex: "(" }',
      'invalid-value pools[4].health.expectBody.regex: "(" is not a regular expression (Unterminated group) (write it in JavaScript\'s syntax)',
    ],
    [
      '{ hex: 00 01 }',
      '{ hex: 00 0 }',
      'invalid-value pools[1].health.send.hex: "00 0" is not hexadecimal (write two digits for each byte, as in "0d 0a")',
    ],
    [
      '- name: web\n    members',
      '- name: "we b"\n    members',
      'invalid-value pools[2].name: "we b" is not a name (use 1 to 63 letters, digits, dots, hyphens and underscores, the first a letter or digit)',
    ],
    [
      '{ rack: r12 }',
      '{ rack: "a\\u001b[31m" }',
      'invalid-value pools[0].members[0].labels.rack: label holds control characters (for example: "r12")',
    ],
  ])('finds %j written as %j', (before, after, finding) => {
    expect(changed(before, after)).toEqual([finding])
  })

  it.each([
    // Options that do not go together.
    [
      'listen: "unix:/run/x.sock"',
      'port: 80, listen: "unix:/run/x.sock"',
      'option-not-applicable loadBalancers[0].listeners[1].listen',
    ],
    [', listen: "fd:redis"', '', 'missing-key loadBalancers[0].listeners[2].name'],
    [
      'port: 53\n',
      'listen: "unix:/run/dns"\n',
      'option-not-applicable loadBalancers[1].listeners[0].listen',
    ],
    [
      'sessionKey: source',
      'sessionKey: source, perPacket: true',
      'option-not-applicable loadBalancers[1].listeners[0].udp.sessionKey',
    ],
    [
      'minVersion: TLSv1.3',
      'minVersion: TLSv1.3\n          maxVersion: TLSv1.2',
      'option-not-applicable loadBalancers[2].listeners[1].tls.maxVersion',
    ],
    [
      'mode: required, ca: www.pem',
      'mode: required',
      'missing-key loadBalancers[2].listeners[1].tls.clientAuth.mode',
    ],
    [
      'mode: required, ca: www.pem',
      'mode: none, ca: www.pem',
      'option-not-applicable loadBalancers[2].listeners[1].tls.clientAuth.ca',
    ],
    [
      'port: 8443\n        pool: app',
      'port: 8443',
      'missing-key loadBalancers[2].listeners[1].name',
    ],
    ['boundedLoad: 1.25', 'boundedLoad: 0.5', 'out-of-range pools[0].boundedLoad'],
    [
      'version: v2, tlsFacts',
      'version: v1, tlsFacts',
      'option-not-applicable pools[0].proxyProtocol.tlsFacts',
    ],
    [
      'text: lb-a }',
      'text: lb-a, hex: "00" }',
      'option-not-applicable pools[0].proxyProtocol.tlvs[0].hex',
    ],
    [', text: lb-a }', ' }', 'option-not-applicable pools[0].proxyProtocol.tlvs[0]'],
    [
      'mode: reply, send',
      'mode: no-icmp-error, expect: x, send',
      'option-not-applicable pools[1].health.expect',
    ],
    ['command: check,', 'command: bin/check,', 'invalid-value pools[3].health.command'],
    ['{ send: "PING\\r\\n", expect: "+PONG" }', '{}', 'missing-key pools[0].health.steps[0]'],
    ['type: all-of', 'type: at-least\n      count: 3', 'out-of-range pools[2].health.count'],
  ])('finds that %j cannot be %j', async (before, after, start) => {
    const { resolve } = await import('../../src/desired/resolve.ts')
    expect(fullDocument).toContain(before)
    const { findings, desired } = resolve(parse(fullDocument.replace(before, after), 'lb.yaml'))
    const codes = findings.map(({ code, path }) => `${code} ${path}`)
    expect(codes[0]).toBe(start)
    expect(new Set(codes.map((code) => code.split(' ')[0])).size).toBe(1)
    expect(desired).toBeUndefined()
  })

  it('tells of all mistakes at once, in order of position', () => {
    const text = issueDocument
      .replace('lb-a', '"l b"')
      .replace('6379', '70000')
      .replace('weight: 2', 'wieght: 2')
      .replace('5m', 'never')
    const { findings } = parse(text, 'lb.yaml')
    expect(findings.map(({ code }) => code)).toEqual([
      'invalid-value',
      'out-of-range',
      'unknown-key',
      'invalid-value',
    ])
  })

  it('keeps to a bound of findings', () => {
    const keys = Array.from({ length: 3000 }, (_, index) => `x${index}: 1`).join('\n')
    const { findings } = parse(keys, 'lb.yaml')
    expect(findings).toHaveLength(1001)
    expect(findings.filter(({ code }) => code === 'too-many-findings')).toHaveLength(1)
  })

  it('takes names that objects have by nature for names', () => {
    const text =
      'version: 1\nnode: { name: a }\npools:\n  - { name: constructor, members: [{ address: "h:1", labels: { __proto__: x, toString: y } }] }\n__proto__: 1\nconstructor: 2\n'
    const { findings, draft } = parse(text, 'lb.yaml')
    expect(findings.map(({ code, path }) => `${code} ${path}`)).toEqual([
      'unknown-key __proto__',
      'unknown-key constructor',
    ])
    const [member] = draft!.pools![0]!.members!
    expect(Object.entries((member as { labels: object }).labels)).toEqual([
      ['__proto__', 'x'],
      ['toString', 'y'],
    ])
  })
})
