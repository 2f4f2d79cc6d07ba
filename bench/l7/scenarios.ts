import { fileURLToPath } from 'node:url'
import { h2load } from '../h2load.ts'
import { type Contender, loadCpu, type Scenario } from '../measure.ts'
import { type WrkLoad, type WrkResult, wrk } from '../wrk.ts'
import { httpBackend } from './backend.ts'
import { caddy } from './caddy.ts'
import { haproxy } from './haproxy.ts'
import { nginx } from './nginx.ts'
import { nodeProxy } from './node-proxy.ts'
import { browserHeaders, makeCertificate, onlyHost, type Setup } from './setup.ts'

const plain: Setup = { tls: false, rules: 1 }
const secure: Setup = { tls: true, rules: 1 }

/** The proxies of npm that Steelyard is compared with. */
export const npmProxies: readonly string[] = [
  'http-proxy',
  'http-proxy-3',
  'httpxy',
  '@fastify/http-proxy',
]

const steelyard = (setup: Setup): Contender => nodeProxy(setup, 'steelyard', './proxy-steelyard.ts')

const fastify = (setup: Setup): Contender =>
  nodeProxy(setup, '@fastify/http-proxy', './proxy-fastify.ts')

/** Everybody; `more` stand behind the one that they are a variant of. */
function everybody(setup: Setup, ...more: Contender[]): Contender[] {
  const list = [
    steelyard(setup),
    nodeProxy(setup, 'steelyard http-proxy façade', './proxy-facade.ts'),
    haproxy(setup),
    nginx(setup),
    caddy(setup),
    nodeProxy(setup, 'http-proxy', './proxy-http-proxy.ts'),
    nodeProxy(setup, 'http-proxy-3', './proxy-http-proxy-3.ts'),
    nodeProxy(setup, 'httpxy', './proxy-httpxy.ts'),
    fastify(setup),
  ]
  for (const contender of more) {
    const [stem] = contender.name.split(' ')
    list.splice(list.findLastIndex(({ name }) => name.split(' ')[0] === stem) + 1, 0, contender)
  }
  return list
}

const bulkVariants = [
  haproxy(plain, 'haproxy splice', '  option splice-response\n  option splice-request'),
]

interface WrkScenario {
  readonly name: string
  readonly unit: 'requests' | 'GB'
  readonly contenders: readonly Contender[]
  readonly path: string
  readonly connections: number
  readonly tls?: boolean
  readonly headers?: readonly string[]
  readonly script?: WrkLoad['script']
}

function wrkScenario(given: WrkScenario): Scenario {
  const { name, unit, contenders, path, connections, tls = false, headers = [], script } = given
  const work = ({ requests, bytes }: WrkResult): number => (unit === 'GB' ? bytes / 1e9 : requests)
  return {
    name,
    unit,
    contenders,
    backend: (folder) => backendBehind(folder, tls),
    async load(port, seconds) {
      const result = await wrk({
        url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}${path}`,
        connections,
        seconds,
        headers: [`Host: ${onlyHost}`, ...browserHeaders, ...headers],
        ...(script === undefined ? {} : { script }),
        cpu: loadCpu,
      })
      return { work: work(result), seconds: result.seconds, errors: result.errors }
    },
  }
}

async function backendBehind(folder: string, tls: boolean): ReturnType<Scenario['backend']> {
  if (tls) makeCertificate(folder)
  return httpBackend(folder)
}

const lua = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const closing = ['Connection: close']

/** How many rules each contender of the scenario `rules` has. */
const ruled: ReadonlyMap<Contender, number> = new Map(
  [steelyard, haproxy, nginx].flatMap((make) =>
    [1, 10_000].map((rules): [Contender, number] => {
      const { name, start } = make({ tls: false, rules })
      return [{ name: `${name}, ${rules} ${rules === 1 ? 'rule' : 'rules'}`, start }, rules]
    }),
  ),
)

/** What `bench -- l7` measures. */
export const l7Scenarios: readonly Scenario[] = [
  wrkScenario({
    name: 'small',
    unit: 'requests',
    contenders: everybody(
      plain,
      nodeProxy(plain, 'steelyard + all X-Forwarded, Via', './proxy-steelyard.ts', 'defaults'),
      nodeProxy(plain, 'steelyard + access log', './proxy-steelyard.ts', 'access log'),
      nginx(plain, 'nginx + access log', '/dev/null combined buffer=64k flush=1s'),
    ),
    path: '/api/1k',
    connections: 64,
  }),
  wrkScenario({
    name: '64k',
    unit: 'requests',
    contenders: everybody(plain, ...bulkVariants),
    path: '/api/64k',
    connections: 32,
  }),
  wrkScenario({
    name: '10m',
    unit: 'GB',
    contenders: everybody(plain, ...bulkVariants),
    path: '/api/10m',
    connections: 8,
  }),
  wrkScenario({
    name: 'post',
    unit: 'requests',
    contenders: everybody(plain),
    path: '/api/upload',
    connections: 32,
    script: [lua('./upload.lua'), String(64 * 1024)],
  }),
  wrkScenario({
    name: 'connections',
    unit: 'requests',
    contenders: everybody(plain),
    path: '/api/1k',
    connections: 64,
    headers: closing,
  }),
  wrkScenario({
    name: 'tls',
    unit: 'requests',
    contenders: everybody(secure),
    path: '/api/1k',
    connections: 64,
    tls: true,
  }),
  wrkScenario({
    name: 'handshakes',
    unit: 'requests',
    contenders: everybody(secure),
    path: '/api/1k',
    connections: 64,
    tls: true,
    headers: closing,
  }),
  {
    name: 'h2',
    unit: 'requests',
    contenders: [steelyard(secure), haproxy(secure), nginx(secure), caddy(secure), fastify(secure)],
    backend: (folder) => backendBehind(folder, true),
    async load(port, seconds) {
      const { requests, errors } = await h2load({
        url: `https://127.0.0.1:${port}/api/1k`,
        connections: 16,
        streams: 8,
        seconds,
        headers: browserHeaders,
        authority: onlyHost,
        cpu: loadCpu,
      })
      return { work: requests, seconds, errors }
    },
  },
  {
    name: 'rules',
    unit: 'requests',
    contenders: [...ruled.keys()],
    backend: httpBackend,
    async load(port, seconds, contender) {
      const result = await wrk({
        url: `http://127.0.0.1:${port}/api/1k`,
        connections: 64,
        seconds,
        headers: browserHeaders,
        script: [lua('./rules.lua'), String(ruled.get(contender))],
        cpu: loadCpu,
      })
      return { work: result.requests, seconds: result.seconds, errors: result.errors }
    },
  },
]
