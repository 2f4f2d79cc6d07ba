/**
 * Keys of other products, and keys that one might look for elsewhere, with what to write instead. The
 * nearest name would mislead here.
 */
const advice: Readonly<Record<string, string>> = {
  '<<': 'YAML 1.2 has no merge keys: write the values out',
  anchors: 'put anchors on the values themselves',
  backends: 'write "members"',
  balance: 'write "algorithm"',
  check: 'write "health"',
  clientFin: 'write timeouts: { halfClosed: … }',
  delay: 'write "interval"',
  every: 'write "interval"',
  expectedCodes: 'write "expect"',
  frontends: 'write "loadBalancers", with listeners in each',
  handshake:
    'timeouts.preread bounds the TLS handshake with the client, timeouts.connect that with a member',
  inter: 'write "interval"',
  maxconn: 'write "connectionLimit" on a listener, "maxConnections" on a member',
  maxRetries: 'write "rise" and "fall"',
  netmask: 'write "ipv4Prefix", such as 24, and "ipv6Prefix", such as 64',
  queue:
    'the listener bounds the wait by timeouts: { queue: … }, the pool the number by "queueLimit"',
  serverFin: 'write timeouts: { halfClosed: … }',
  servers: 'write "members"',
  snat: 'write "sourceAddresses"',
  sourceAddress: 'write "sourceAddresses", a list',
  sticky: 'write "persistence"',
  upstreams: 'write "pools"',
}

/** What to write in place of a key that does not exist, if that is known. */
export function adviceFor(key: string): string | undefined {
  return Object.hasOwn(advice, key) ? advice[key] : undefined
}
