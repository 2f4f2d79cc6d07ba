import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

// The rules of ARCHITECTURE.md are lint rules. Here each is broken once, in a copy of the folder layout, and
// must be reported; and what stands close to it but is allowed must not be.

interface Case {
  readonly what: string
  readonly file: string
  readonly code: string
  /** The rule that reports it; none when it is allowed. */
  readonly rule?: string
  /** Another file that must be there. */
  readonly beside?: { readonly file: string; readonly code: string }
}

const restrictedImport = 'eslint(no-restricted-imports)'
const restrictedGlobal = 'eslint(no-restricted-globals)'
const nodeModule = 'import(no-nodejs-modules)'

const cases: readonly Case[] = [
  ...[
    'packages/core/src/pure.ts',
    'packages/bgp/src/wire/open.ts',
    'packages/discovery-zookeeper/src/fsm/step.ts',
    'packages/l4/src/proxy-protocol/v3.ts',
    'packages/l4/src/tls/client-hello.ts',
    'packages/l7/src/wire/head.ts',
    'packages/l7/src/gate/judge.ts',
    'packages/l7/src/routing/router.ts',
    'packages/health/src/schedule.ts',
    'packages/health/src/hysteresis.ts',
    'examples/appliance/src/desired/pure.ts',
    'examples/appliance/src/reconcile/plan.ts',
    'examples/appliance/src/reconcile/plan-steps.ts',
  ].flatMap((file): Case[] => [
    {
      what: `a Node module in ${file}`,
      file,
      code: `export { join } from 'node:path'`,
      rule: nodeModule,
    },
    {
      what: `a clock read in ${file}`,
      file: file.replace('.ts', '-clock.ts'),
      code: 'export const now: number = Date.now()',
      rule: restrictedGlobal,
    },
  ]),
  {
    what: 'a Node module without its prefix in a pure folder',
    file: 'packages/core/src/bare.ts',
    code: `export { join } from 'path'`,
    rule: nodeModule,
  },
  {
    what: 'a Node module loaded late in a pure folder',
    file: 'packages/core/src/late.ts',
    code: `export const load = (): Promise<unknown> => import('node:fs')`,
    rule: nodeModule,
  },
  {
    what: 'a type of a Node module in a pure folder',
    file: 'packages/core/src/types-only.ts',
    code: `export type { Socket } from 'node:net'`,
    rule: nodeModule,
  },
  {
    what: 'a Buffer in a pure folder',
    file: 'packages/vrrp/src/wire/advert.ts',
    code: 'export const empty: Uint8Array = Buffer.alloc(0)',
    rule: restrictedGlobal,
  },
  {
    what: 'the process in a pure folder',
    file: 'packages/core/src/process.ts',
    code: 'export const pid: number = process.pid',
    rule: restrictedGlobal,
  },
  {
    what: 'a socket in the exchange',
    file: 'packages/l7/src/exchange/socket.ts',
    code: `export { connect } from 'node:net'`,
    rule: nodeModule,
  },
  {
    what: 'a hash in the exchange, outside of the handshake of a WebSocket',
    file: 'packages/l7/src/exchange/hash.ts',
    code: `export { createHash } from 'node:crypto'`,
    rule: nodeModule,
  },
  {
    what: 'the hash of the handshake of a WebSocket',
    file: 'packages/l7/src/exchange/tunnel.ts',
    code: `export { createHash } from 'node:crypto'`,
  },
  {
    what: 'certificates where they are read',
    file: 'packages/l7/src/gate/certificate-lines.ts',
    code: `export { X509Certificate } from 'node:crypto'`,
  },
  {
    what: 'certificates where requests are judged',
    file: 'packages/l7/src/gate/judge-request.ts',
    code: `export { X509Certificate } from 'node:crypto'`,
    rule: nodeModule,
  },
  {
    what: 'what an object is, where routes are compiled',
    file: 'packages/l7/src/routing/predicate.ts',
    code: `export { types } from 'node:util'`,
  },
  {
    what: 'a Node module in a driver',
    file: 'packages/l4/src/driver.ts',
    code: `export { createServer } from 'node:net'`,
  },
  {
    what: 'the type of a socket in the transport contract',
    file: 'packages/core/src/transport.ts',
    code: `import type { Socket } from 'node:net'\nimport type { Near } from './near.ts'\nexport type Both = [Socket, Near]`,
  },
  {
    what: 'the system clock in clock.ts',
    file: 'packages/core/src/clock.ts',
    code: 'export const now = (): number => performance.now() + Date.now()',
  },

  ...[
    'health',
    'l4',
    'bgp',
    'vrrp',
    'linux',
    'discovery',
    'discovery-kubernetes',
    'testing',
  ].flatMap((name): Case[] => [
    {
      what: `${name} knowing a sibling`,
      file: `packages/${name}/src/sideways.ts`,
      code: `export { thing } from '@steelyard/l7'`,
      rule: restrictedImport,
    },
    {
      what: `${name} knowing core`,
      file: `packages/${name}/src/down.ts`,
      code: `export { pool } from '@steelyard/core'\nexport { byteReader } from '@steelyard/core/bytes'`,
    },
  ]),
  {
    what: 'core knowing another package',
    file: 'packages/core/src/up.ts',
    code: `export { tcpCheck } from '@steelyard/health'`,
    rule: restrictedImport,
  },
  {
    what: 'core knowing the test package',
    file: 'packages/core/src/up-testing.ts',
    code: `export type { ManualClock } from '@steelyard/testing'`,
    rule: restrictedImport,
  },
  {
    what: 'the transport contract knowing another package',
    file: 'packages/core/src/transport.ts',
    code: `export type { TcpBalancer } from '@steelyard/l4'`,
    rule: restrictedImport,
  },
  {
    what: 'l7 knowing l4',
    file: 'packages/l7/src/down.ts',
    code: `export { tcpBalancer } from '@steelyard/l4'`,
  },
  {
    what: 'l7 knowing health',
    file: 'packages/l7/src/sideways.ts',
    code: `export { tcpCheck } from '@steelyard/health'`,
    rule: restrictedImport,
  },
  {
    what: 'a package knowing linux',
    file: 'packages/l4/src/kernel.ts',
    code: `export { nftables } from '@steelyard/linux'`,
    rule: restrictedImport,
  },
  {
    what: 'a test knowing linux',
    file: 'packages/l4/test/kernel.test.ts',
    code: `export { nftables } from '@steelyard/linux'`,
    rule: restrictedImport,
  },
  {
    what: 'a composition knowing linux',
    file: 'examples/appliance/src/main.ts',
    code: `export { nftables } from '@steelyard/linux'`,
  },
  {
    what: 'a test knowing the test package and its own insides',
    file: 'packages/l4/test/own.test.ts',
    code: `export { manualClock } from '@steelyard/testing'\nexport { own } from '../src/own.ts'`,
  },
  {
    what: 'a path into another package',
    file: 'packages/l4/test/path.test.ts',
    code: `export { pool } from '../../core/src/pool.ts'`,
    rule: restrictedImport,
  },
  {
    what: 'a path into a package from an example',
    file: 'examples/appliance/src/path.ts',
    code: `export { pool } from '../../../packages/core/src/pool.ts'`,
    rule: restrictedImport,
  },
  {
    what: 'an import past the entries of a package',
    file: 'examples/appliance/src/deep.ts',
    code: `export { pool } from '@steelyard/core/src/pool.ts'`,
    rule: restrictedImport,
  },

  {
    what: 'two modules that need each other',
    file: 'packages/l4/src/a.ts',
    code: `import { b } from './b.ts'\nexport const a: () => number = () => b() + 1`,
    rule: 'import(no-cycle)',
    beside: {
      file: 'packages/l4/src/b.ts',
      code: `import { a } from './a.ts'\nexport const b: () => number = () => a() - 1`,
    },
  },
  {
    what: 'a default export',
    file: 'packages/l4/src/default.ts',
    code: 'export default 1',
    rule: 'import(no-default-export)',
  },
  {
    what: 'a default export where a tool wants one',
    file: 'packages/l4/tsup.config.ts',
    code: 'export default {}',
  },
  {
    what: 'a promise that nobody awaits',
    file: 'packages/l4/src/floating.ts',
    code: 'export async function go(): Promise<void> {}\nexport function start(): void {\n  go()\n}',
    rule: 'typescript(no-floating-promises)',
  },
  {
    what: 'a switch that forgets a case',
    file: 'packages/l4/src/switch.ts',
    code: `export function size(kind: 'a' | 'b'): number {\n  switch (kind) {\n    case 'a':\n      return 1\n  }\n  return 0\n}`,
    rule: 'typescript(switch-exhaustiveness-check)',
  },
  {
    what: 'a state machine that leaves a case to the default',
    file: 'packages/bgp/src/fsm/switch.ts',
    code: `export function size(kind: 'a' | 'b'): number {\n  switch (kind) {\n    case 'a':\n      return 1\n    default:\n      return 0\n  }\n}`,
    rule: 'typescript(switch-exhaustiveness-check)',
  },
  {
    what: 'a library that prints',
    file: 'packages/l4/src/print.ts',
    code: `console.log('hello')`,
    rule: 'eslint(no-console)',
  },
  {
    what: 'a library that reads the environment',
    file: 'packages/l4/src/environment.ts',
    code: `export const home: unknown = process.env['HOME']`,
    rule: 'node(no-process-env)',
  },
  {
    what: 'a library that waits by itself',
    file: 'packages/health/src/wait.ts',
    code: 'export const timer: unknown = setTimeout(() => {}, 1)',
    rule: restrictedGlobal,
  },
  {
    what: 'a library that ends the process',
    file: 'packages/l4/src/exit.ts',
    code: 'export const end = (): never => process.exit(1)',
    rule: 'unicorn(no-process-exit)',
  },
]

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('the architecture, held by lint', () => {
  let folder: string
  /** The rules that reported each file. */
  const reported = new Map<string, Set<string>>()

  // Several cases are about the same file, so each has a layout of its own; all are linted in one go.
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'steelyard-guards-'))
    cases.forEach(({ file, code, beside }, index) => {
      const home = join(folder, String(index))
      write(join(home, file), code)
      if (beside !== undefined) write(join(home, beside.file), beside.code)
      write(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
      copyFileSync(join(root, '.oxlintrc.json'), join(home, '.oxlintrc.json'))
    })
    const { stdout, stderr } = spawnSync(
      join(root, 'node_modules/.bin/oxlint'),
      ['--type-aware', '--format=json', '.'],
      { cwd: folder, encoding: 'utf8' },
    )
    const { diagnostics } = JSON.parse(stdout || stderr) as {
      diagnostics: readonly { readonly code: string; readonly filename: string }[]
    }
    for (const { code, filename } of diagnostics) {
      reported.set(filename, (reported.get(filename) ?? new Set()).add(code))
    }
  })

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  const numbered = cases.map((each, index) => ({
    ...each,
    index,
    title: `${each.rule === undefined ? 'allows' : 'reports'} ${each.what}`,
  }))

  it.each(numbered)('$title', ({ index, file, rule }) => {
    const found = [...(reported.get(`${index}/${file}`) ?? [])]
    expect(found).toEqual(rule === undefined ? [] : [rule])
  })
})

const compilerOptions = {
  strict: true,
  noEmit: true,
  module: 'nodenext',
  target: 'es2024',
  lib: ['es2024', 'dom'],
  types: [],
  allowImportingTsExtensions: true,
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${text}\n`)
}

describe('the language, held by the compiler', () => {
  it.each([
    ['an enum', 'export enum Kind { A }', 'TS1294'],
    ['a namespace', 'export namespace kinds { export const a = 1 }', 'TS1294'],
    ['a parameter property', 'export class A { constructor(readonly a: string) {} }', 'TS1294'],
    ['an export without a type', 'export const a = Math.random()', 'TS9010'],
  ])('refuses %s', (_, code, error) => {
    const folder = mkdtempSync(join(tmpdir(), 'steelyard-language-'))
    try {
      write(join(folder, 'bad.ts'), code)
      copyFileSync(join(root, 'tsconfig.base.json'), join(folder, 'tsconfig.base.json'))
      write(
        join(folder, 'tsconfig.json'),
        '{ "extends": "./tsconfig.base.json", "compilerOptions": { "types": [] } }',
      )
      const { stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], {
        cwd: folder,
        encoding: 'utf8',
      })
      expect(stdout).toContain(error)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
