/**
 * Keys of other products, and keys that one might look for elsewhere, with what to write instead. The
 * nearest name would mislead here.
 */
const advice: Readonly<Record<string, string>> = {
  '<<': 'YAML 1.2 has no merge keys: write the values out',
  admin_state_up: 'write "enabled"',
  anchors: 'put anchors on the values themselves',
  backends: 'write "members"',
  balance: 'write "algorithm"',
  certificates: 'write it in "tls"',
  check: 'write "health"',
  clientFin: 'write timeouts: { halfClosed: … }',
  compare_type: 'write "compareType"',
  default_pool: 'write "pool"',
  delay: 'write "interval"',
  errorfiles: 'write "errorPages"',
  every: 'write "interval"',
  expectedCodes: 'write "expect"',
  frontends: 'write "loadBalancers", with listeners in each',
  handshake:
    'timeouts.preread bounds the TLS handshake with the client, timeouts.connect that with a member',
  inter: 'write "interval"',
  l7policies: 'write "policies"',
  l7rules: 'write "rules"',
  maxconn: 'write "connectionLimit" on a listener, "maxConnections" on a member',
  maxRetries: 'write "rise" and "fall"',
  middlewares: 'write "filters"',
  netmask: 'write "ipv4Prefix", such as 24, and "ipv6Prefix", such as 64',
  plugins: 'write "filters"',
  queue:
    'the listener bounds the wait by timeouts: { queue: … }, the pool the number by "queueLimit"',
  redirect_http_code: 'write "redirectHttpCode"',
  redirect_pool_id: 'write "redirectPool", with the name of a pool',
  redirect_prefix: 'write "redirectPrefix"',
  redirect_url: 'write "redirectUrl"',
  serverFin: 'write timeouts: { halfClosed: … }',
  servers: 'write "members"',
  session_persistence: 'write "persistence"',
  snat: 'write "sourceAddresses"',
  sourceAddress: 'write "sourceAddresses", a list',
  sticky: 'write "persistence"',
  upstreams: 'write "pools"',
}

/** What to write in place of a key that does not exist, if that is known. */
export function adviceFor(key: string): string | undefined {
  return Object.hasOwn(advice, key) ? advice[key] : undefined
}
