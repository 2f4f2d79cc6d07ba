import { hostileOptionsSuite } from '@steelyard/testing'
import {
  addressPools,
  backend,
  type PersistenceEntry,
  parseDuration,
  parseRange,
  parseSize,
  persistenceTable,
  pickerNamed,
  pickers,
  pool,
  quorumRule,
  timerWheel,
} from '../src/index.ts'
import { cidrSet, parseAddress, parseCidr, parseEndpoint } from '../src/ip/index.ts'

const pickerOptions: Record<string, Record<string, unknown>> = {
  'round-robin': { ignoreWeights: true, randomStart: true },
  'smooth-weighted-round-robin': { randomStart: true },
  random: { choices: 3 },
  'source-hash': { port: true, key: 'source-port', consistent: true },
  'ring-hash': { port: false, key: 'request', pointsPerWeight: 100, maxPoints: 2048 },
  maglev: { port: true, tableSize: 251 },
  rendezvous: { key: 'source' },
  'least-time': { choices: 'all', decay: '1s', penalty: 100 },
}

const member = {
  address: '192.0.2.1:80',
  id: 'one',
  weight: 2,
  backup: false,
  maxConnections: 10,
  state: 'enabled',
  labels: { rack: 'a' },
}

const policy = {
  pick: pickers.first.make({}, ''),
  quorum: '50%',
  hysteresis: 1,
  whenEmpty: 'all',
  slowStart: '10s',
  boundedLoad: 1.25,
}

const addressPool = {
  name: 'front',
  addresses: ['192.0.2.0/28', '192.0.2.32-192.0.2.40'],
  exclude: ['192.0.2.3'],
  skipNetworkAndBroadcast: true,
  disabled: false,
  default: true,
  priority: 5,
  automatic: true,
}

const request = {
  owner: 'a',
  pool: 'front',
  address: '192.0.2.5',
  family: 4,
  ports: [{ protocol: 'tcp', port: 80 }],
  shared: 'key',
}

const entry: PersistenceEntry = { client: '192.0.2.7', backendId: 'one', remainingMs: 1000 }

function somePools(): ReturnType<typeof addressPools> {
  return addressPools({ pools: [{ name: 'front', addresses: ['192.0.2.0/24'] }] })
}

hostileOptionsSuite([
  ...Object.entries(pickers).map(([name, { make }]) => ({
    name: `picker ${name}`,
    args: [pickerOptions[name] ?? {}],
    call: (options: Record<string, unknown>) => make(options, 'algorithm'),
  })),
  { name: 'pickerNamed', args: ['maglev', { tableSize: 251 }], call: pickerNamed },
  { name: 'backend', args: [member], call: backend },
  {
    name: 'pool',
    args: [
      { ...policy, name: 'web', backends: [member, '192.0.2.2:80'], capacity: 8, queueLimit: 4 },
    ],
    call: pool,
  },
  {
    name: 'pool, its parts',
    args: [
      {
        check: undefined,
        outlier: undefined,
        persistence: undefined,
        clock: undefined,
        random: undefined,
      },
    ],
    call: pool,
  },
  {
    name: 'pool.set',
    args: [[member, '192.0.2.2:80']],
    call: (...args: Parameters<ReturnType<typeof pool>['set']>) => pool({}).set(...args),
  },
  {
    name: 'pool.edit',
    args: [{ weight: 3, state: 'draining', maxConnections: 5, labels: { rack: 'b' } }],
    call: (change: object) => pool({ backends: ['192.0.2.2:80'] }).edit('192.0.2.2:80', change),
  },
  {
    name: 'pool.reconfigure',
    args: [policy],
    call: (options: object) => pool({}).reconfigure(options),
  },
  { name: 'quorumRule', args: ['50%', 1], call: quorumRule },
  {
    name: 'persistenceTable',
    args: [{ timeout: '1m', ipv4Prefix: 24, ipv6Prefix: 64, maxEntries: 10, whenDraining: 'keep' }],
    call: persistenceTable,
  },
  {
    name: 'persistenceTable.import',
    args: [[entry]],
    call: (entries: PersistenceEntry[]) => persistenceTable().import(entries),
  },
  { name: 'addressPools', args: [{ pools: [addressPool] }], call: addressPools },
  {
    name: 'addressPools.assign',
    args: [request],
    call: (wish: Parameters<ReturnType<typeof addressPools>['assign']>[0]) => {
      const pools = somePools()
      return pools.assign(wish)
    },
  },
  {
    name: 'addressPools.restore',
    args: [[{ address: '192.0.2.5', request }]],
    call: (records: Parameters<ReturnType<typeof addressPools>['restore']>[0]) =>
      somePools().restore(records),
  },
  { name: 'timerWheel', args: [{ tickMs: 5, slots: 64 }], call: timerWheel },
  { name: 'parseDuration', args: ['1s'], call: (text: string) => parseDuration(text) },
  { name: 'parseSize', args: ['1KiB'], call: (text: string) => parseSize(text) },
  { name: 'parseRange', args: ['192.0.2.0/24'], call: (text: string) => parseRange(text) },
  { name: 'parseAddress', args: ['192.0.2.1'], call: (text: string) => parseAddress(text) },
  { name: 'parseCidr', args: ['192.0.2.0/24'], call: (text: string) => parseCidr(text) },
  { name: 'parseEndpoint', args: ['[::1]:80'], call: (text: string) => parseEndpoint(text) },
  { name: 'cidrSet', args: [['192.0.2.0/24']], call: (blocks: string[]) => cidrSet(blocks) },
])
