import { hostileOptionsSuite } from '@steelyard/testing'
import {
  allOf,
  anyOf,
  atLeast,
  type Check,
  check,
  healthMonitor,
  httpCheck,
  type MonitorOptions,
  outlierDetection,
  passed,
  scriptCheck,
  tcpCheck,
  tlsCheck,
  udpCheck,
} from '../src/index.ts'

const common = {
  interval: '5s',
  fastInterval: '1s',
  downInterval: '10s',
  timeout: '2s',
  rise: 2,
  fall: 3,
  initial: 'up',
  address: '192.0.2.1:80',
  port: 8080,
  source: '127.0.0.1',
  monitor: undefined,
}

const tls = {
  verify: true,
  servername: 'a.example',
  ca: undefined,
  cert: undefined,
  key: undefined,
  passphrase: undefined,
  minVersion: 'TLSv1.3',
  alpn: ['h2'],
  warnBefore: '14d',
}

const steps = [
  { send: 'PING\r\n', expect: '+PONG' },
  { send: { hex: '00 ff' }, expect: { regex: '^x', flags: 'i' } },
]

const two = tcpCheck()

hostileOptionsSuite([
  {
    name: 'check',
    args: ['own', () => passed('well'), { ...common, key: 'own', forget: undefined }],
    call: check,
  },
  {
    name: 'tcpCheck',
    args: [{ ...common, close: 'fin', steps, maxBytes: '1KiB' }],
    call: tcpCheck,
  },
  { name: 'tlsCheck', args: [{ ...common, ...tls, steps, maxBytes: 100 }], call: tlsCheck },
  {
    name: 'httpCheck',
    args: [
      {
        ...common,
        method: 'HEAD',
        path: '/health',
        host: 'a.example',
        headers: { 'X-Probe': 'yes' },
        body: 'text',
        expect: [200, '300-302'],
        expectBody: { regex: 'ok' },
        expectHeaders: { 'X-Well': 'yes', 'X-Other': /./ },
        maxBody: '1KiB',
        keepAlive: false,
        tls,
        version: '2',
      },
    ],
    call: httpCheck,
  },
  {
    name: 'udpCheck',
    args: [{ ...common, mode: 'reply', send: { hex: '1b' }, expect: { regex: 'x' } }],
    call: udpCheck,
  },
  {
    name: 'scriptCheck',
    args: [{ ...common, command: '/bin/true', args: ['a'], env: { A: 'b' }, cwd: '/' }],
    call: scriptCheck,
  },
  { name: 'allOf', args: [two, two], call: allOf },
  { name: 'anyOf', args: [two, two], call: anyOf },
  {
    name: 'atLeast',
    args: [1, two, two],
    call: (wanted: number, ...checks: Check[]) => atLeast(wanted, ...checks),
  },
  {
    name: 'outlierDetection',
    args: [
      {
        consecutiveFailures: 5,
        baseEjection: '30s',
        maxEjection: '5m',
        maxEjectedPercent: 20,
        atLeastOne: true,
        jitter: '1s',
        readmitOnCheck: true,
        clock: undefined,
        random: undefined,
      },
    ],
    call: outlierDetection,
  },
  {
    name: 'healthMonitor',
    args: [
      {
        concurrency: 10,
        firstRound: '1s',
        jitter: 0.1,
        lateShare: 0.2,
        seed: 7,
        clock: undefined,
        random: undefined,
        log: undefined,
        metrics: undefined,
      },
    ],
    call: (options: MonitorOptions) => healthMonitor(options)[Symbol.dispose](),
  },
])
