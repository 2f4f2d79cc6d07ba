// What a stranger gets: the packed tarballs, installed in an empty project and used by plain Node. More than one
// Node can be named: STEELYARD_NODES=/path/to/node:/path/to/another npm test -- smoke
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { publicPackages } from '../scripts/packing/packages.ts'
import { type Consumer, consumer } from './consumer.ts'

const packages = publicPackages()
const entries = packages.flatMap((each) => each.entries)
const nodes = [
  process.execPath,
  ...(process.env['STEELYARD_NODES'] ?? '').split(delimiter).filter((path) => path !== ''),
].map((path) => ({ path, version: execFileSync(path, ['--version'], { encoding: 'utf8' }).trim() }))
/** What a stranger might write, and what it prints. */
const programs = [
  { what: 'balance a connection', program: 'balance.mjs', says: 'carried there and back' },
  { what: 'route requests', program: 'route.mjs', says: '308, 200 gzip: GET /b for 127.0.0.1' },
  {
    what: 'stand in for the package http-proxy',
    program: 'switch.mjs',
    says: 'GET /a?b=1 yes yes',
  },
] as const
const typescript = resolve('node_modules/typescript/bin/tsc')

void describe('the packed packages', () => {
  let project: Consumer

  before(async () => {
    project = await consumer()
  })

  after(() => project?.[Symbol.dispose]())

  for (const { name } of packages) {
    void it(`${name} holds its licence, its read-me and its sources, and no leftovers`, () => {
      const home = join(project.folder, 'node_modules', name)
      for (const file of [
        'LICENSE',
        'README.md',
        'src/index.ts',
        'dist/index.js',
        'dist/index.d.ts',
      ]) {
        assert.ok(existsSync(join(home, file)), `${file} is missing`)
      }
      for (const file of [
        'test',
        'dist/.tsbuildinfo',
        'tsconfig.json',
        'tsup.config.ts',
        '.turbo',
      ]) {
        assert.ok(!existsSync(join(home, file)), `${file} should not be there`)
      }
      assert.equal(
        readFileSync(join(home, 'LICENSE'), 'utf8'),
        readFileSync('LICENSE', 'utf8'),
        'the licence is not that of the repository',
      )
    })
  }

  for (const { path, version } of nodes) {
    for (const entry of entries) {
      void it(`${entry} on ${version} gives the same names by import and by require, and does nothing else`, async () => {
        const name = JSON.stringify(entry)
        const print = '(names) => process.stdout.write(JSON.stringify(Object.keys(names).sort()))'
        const run = async (kind: string, code: string): Promise<string[]> => {
          const { code: exit, output } = await project.node(
            [`--input-type=${kind}`, '-e', code],
            path,
          )
          assert.equal(exit, 0, output)
          // Anything printed besides, a warning too, is no JSON.
          return JSON.parse(output) as string[]
        }
        const imported = await run('module', `import(${name}).then(${print})`)
        const required = await run('commonjs', `(${print})(require(${name}))`)
        assert.ok(imported.length > 0, 'nothing is exported')
        assert.deepEqual(
          required.filter((each) => each !== '__esModule'),
          imported,
        )
      })
    }

    for (const { what, program, says } of programs) {
      void it(`${what} on ${version}, and let the process end afterwards`, async () => {
        project.write(program, readFileSync(join('smoke/programs', program), 'utf8'))
        const { code, output } = await project.node([program], path)
        assert.deepEqual({ code, output }, { code: 0, output: says })
      })
    }
  }

  void it('type-check in a strict project that checks libraries too', async () => {
    const imports = entries.map((entry, index) => `import * as entry${index} from '${entry}'`)
    const uses = entries.map((_, index) => `void entry${index}`)
    project.write('all.ts', [...imports, ...uses].join('\n'))
    readmeExamples().forEach((code, index) => project.write(`readme-${index}.ts`, code))
    project.write(
      'tsconfig.json',
      JSON.stringify({
        compilerOptions: {
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          skipLibCheck: false,
          noEmit: true,
          module: 'nodenext',
          target: 'es2024',
          types: ['node'],
        },
        include: ['*.ts'],
      }),
    )
    const version = await project.node([typescript, '--version'])
    assert.equal(version.output.trim(), 'Version 7.0.2')
    const { code, output } = await project.node([typescript, '-p', '.', '--pretty', 'false'])
    assert.equal(code, 0, output)
  })
})

/** The TypeScript blocks of the README of the repository. */
function readmeExamples(): string[] {
  const blocks = readFileSync('README.md', 'utf8').matchAll(/```ts\n(.*?)```/gs)
  const examples = [...blocks].map(([, code = '']) => code)
  assert.ok(examples.length > 0, 'README.md has no TypeScript example')
  return examples
}
