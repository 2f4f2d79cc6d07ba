import { pool } from '@steelyard/core'
import { hostileOptionsSuite } from '@steelyard/testing'
import {
  type Acl,
  acl,
  alpnTlv,
  authorityTlv,
  type ByteBudgetOptions,
  byteBudget,
  clientHelloReader,
  connectionLimit,
  connectionRate,
  encodeProxyV2,
  localProxyHeader,
  nameRouter,
  nodeTransport,
  originator,
  proxyFramer,
  retryBudget,
  type TcpReconfiguration,
  tcpBalancer,
  tlsContexts,
  type UdpReconfiguration,
  udpBalancer,
  uniqueIdTlv,
} from '../src/index.ts'
import { ca, pem } from './tls/bed.ts'

const web = pool({ backends: ['192.0.2.1:80'] })

const own = { cert: pem('a'), key: pem('a-key'), passphrase: undefined }

const originate = {
  serverName: 'a.example',
  verify: true,
  ca: [ca],
  certificate: own,
  alpn: ['h2'],
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: 'ECDHE-RSA-AES128-GCM-SHA256',
  sessions: 10,
  handshakeTimeout: '5s',
  clock: undefined,
}

const target = {
  pool: web,
  sendProxy: {
    version: 2,
    passTlvs: true,
    tlsFacts: true,
    crc32c: true,
    tlvs: [{ type: 0xe0, value: new Uint8Array(2) }],
  },
  originate: undefined,
  sourceAddresses: ['192.0.2.9', '2001:db8::9'],
}

const tcp = {
  ...target,
  acl: undefined,
  connectionLimit: 10,
  timeouts: {
    connect: '5s',
    client: '1m',
    server: '1m',
    halfClosed: '1m',
    total: '1h',
    preread: '1s',
    queue: 500,
  },
  retries: 2,
  retryBudget: undefined,
  acceptProxy: { from: ['192.0.2.0/24'], untrusted: 'direct', versions: [1, 2] },
  bandwidth: { fromClient: '1MiB', toClient: 100_000 },
  keepAlive: '30s',
  routes: {
    rules: [{ sni: ['a.example', '*.b.example'], alpn: 'h2', target: { pool: web } }],
    default: { pool: web },
    absent: null,
    encrypted: { pool: web },
  },
  terminate: undefined,
  whenDown: 'reset',
}

const udp = {
  pool: web,
  acl: undefined,
  sessionKey: 'client',
  idleTimeout: '30s',
  expectedReplies: 1,
  perPacket: true,
  maxSessions: 10,
  buffers: { datagrams: 4, bytes: '16KiB', total: '1MiB' },
  whenDown: 'keep',
  whenDraining: 'move',
  sourceAddresses: ['192.0.2.9'],
}

const rest = {
  name: 'front',
  transport: undefined,
  drain: '1s',
  clock: undefined,
  wheel: undefined,
  log: undefined,
  metrics: undefined,
  onSession: undefined,
}

const header = {
  version: 2,
  command: 'proxy',
  family: 4,
  transport: 'stream',
  source: { address: '192.0.2.1', port: 1, family: 4 },
  destination: { address: '192.0.2.2', port: 2, family: 4 },
  tlvs: [{ type: 0xe0, value: new Uint8Array(2) }],
}

hostileOptionsSuite([
  {
    name: 'tcpBalancer',
    args: [{ ...tcp, ...rest, nodeLimit: undefined, listen: '127.0.0.1:0' }],
    call: tcpBalancer,
  },
  {
    name: 'tcpBalancer, acl',
    args: [() => true],
    call: (rule: Acl) => tcpBalancer({ listen: '127.0.0.1:0', pool: web, acl: rule }),
  },
  {
    name: 'tcpBalancer, where it listens and to whom it connects',
    args: [
      {
        pool: web,
        listen: { host: '127.0.0.1', port: 0, backlog: 5, reusePort: true, ipv6Only: false },
        sendProxy: 'v1',
        originate,
      },
    ],
    call: tcpBalancer,
  },
  {
    name: 'tcpBalancer.reconfigure',
    args: [tcp],
    call: (options: TcpReconfiguration) =>
      tcpBalancer({ pool: web, listen: '127.0.0.1:0' }).reconfigure(options),
  },
  {
    name: 'udpBalancer',
    args: [
      {
        ...udp,
        ...rest,
        listen: {
          host: '127.0.0.1',
          port: 0,
          reusePort: true,
          ipv6Only: false,
          receiveBuffer: '1MiB',
          sendBuffer: '1MiB',
        },
      },
    ],
    call: udpBalancer,
  },
  {
    name: 'udpBalancer.reconfigure',
    args: [udp],
    call: (options: UdpReconfiguration) =>
      udpBalancer({ pool: web, listen: '127.0.0.1:0' }).reconfigure(options),
  },
  {
    name: 'tlsContexts',
    args: [
      {
        certificates: [{ ...own, ca, names: ['a.example', '*.a.example'], default: true }],
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.3',
        ciphers: 'ECDHE-RSA-AES128-GCM-SHA256',
        groups: 'X25519',
        alpn: ['h2'],
        alpnMismatch: 'ignore',
        unknownName: 'reject',
        clientCertificate: 'optional',
        clientCa: [ca],
        clientCrl: undefined,
        tickets: true,
        ticketKeys: new Uint8Array(48),
        sessionTimeout: '1m',
      },
    ],
    call: tlsContexts,
  },
  { name: 'originator', args: [originate], call: originator },
  { name: 'acl', args: [{ allow: ['192.0.2.0/24'], deny: ['::1'], default: 'deny' }], call: acl },
  { name: 'nameRouter', args: [{ ...tcp.routes, default: 1, encrypted: 2 }], call: nameRouter },
  {
    name: 'byteBudget',
    args: [{ bytesPerSecond: '1MiB', burst: '1MiB', clock: undefined, wheel: undefined }],
    call: byteBudget,
  },
  {
    name: 'byteBudget.adjust',
    args: [{ bytesPerSecond: 1000, burst: 20_000 }],
    call: (rate: ByteBudgetOptions) => byteBudget({ bytesPerSecond: 1000 }).adjust(rate),
  },
  { name: 'connectionLimit', args: [5], call: (max: number) => connectionLimit(max) },
  {
    name: 'connectionLimit.setMax',
    args: [5],
    call: (max: number) => connectionLimit(0).setMax(max),
  },
  {
    name: 'connectionRate',
    args: [{ perSecond: 10, burst: 5, clock: undefined }],
    call: connectionRate,
  },
  {
    name: 'retryBudget',
    args: [{ percent: 10, minimum: 2, window: '10s', clock: undefined }],
    call: retryBudget,
  },
  {
    name: 'nodeTransport',
    args: [{ io: 'public', readBuffer: '64KiB', noDelay: false, onHandlerError: undefined }],
    call: nodeTransport,
  },
  { name: 'proxyFramer', args: [{ versions: [1, 2], maxV2Length: '1KiB' }], call: proxyFramer },
  { name: 'clientHelloReader', args: [{ maxBytes: '16KiB' }], call: clientHelloReader },
  { name: 'encodeProxyV2', args: [header, { crc32c: true }], call: encodeProxyV2 },
  { name: 'localProxyHeader', args: [header.tlvs], call: localProxyHeader },
  { name: 'uniqueIdTlv', args: [new Uint8Array(4)], call: uniqueIdTlv },
  { name: 'alpnTlv', args: ['h2'], call: alpnTlv },
  { name: 'authorityTlv', args: ['a.example'], call: authorityTlv },
])
