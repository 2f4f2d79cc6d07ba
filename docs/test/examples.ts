import { globSync, readFileSync } from 'node:fs'

/** A piece of TypeScript that a document shows. */
export interface Example {
  /** Where it stands: file and line. */
  readonly at: string
  readonly code: string
}

/** The TypeScript blocks of the read-mes and guides. */
export function markdownExamples(): Example[] {
  return globSync([
    '*.md',
    'docs/*.md',
    'docs/adr/*.md',
    'packages/*/README.md',
    'examples/*/README.md',
  ])
    .sort()
    .flatMap((file) => fenced(file, readFileSync(file, 'utf8').split('\n')))
}

/** The examples in the documentation of exports. They may leave out the imports from the packages. */
export function sourceExamples(): Example[] {
  return sourceFiles().flatMap((file) => {
    const lines = readFileSync(file, 'utf8').split('\n')
    // A line of code outside of a comment must not look like one inside.
    const comments = lines.map((line) => /^\s*\*(?: (.*))?$/.exec(line)?.[1] ?? '')
    const promised = promisedNames(file.split('/')[1] ?? '')
    return fenced(file, comments).map(({ at, code }) => ({
      at,
      code: imports(code, promised) + code,
    }))
  })
}

/** Where an `@example` is not followed by a block of TypeScript. */
export function unfencedExamples(): string[] {
  return sourceFiles().flatMap((file) => {
    const lines = readFileSync(file, 'utf8').split('\n')
    return lines.flatMap((line, index) =>
      /^\s*\*\s+@example/.test(line) && !/^\s*\*\s+```ts$/.test(lines[index + 1] ?? '')
        ? [`${file}:${index + 1}`]
        : [],
    )
  })
}

function sourceFiles(): string[] {
  return globSync('packages/*/src/**/*.ts').sort()
}

function fenced(file: string, lines: readonly string[]): Example[] {
  const examples: Example[] = []
  let begin: number | undefined
  lines.forEach((line, index) => {
    if (begin === undefined) {
      if (line === '```ts') begin = index + 1
    } else if (line === '```') {
      examples.push({ at: `${file}:${begin + 1}`, code: lines.slice(begin, index).join('\n') })
      begin = undefined
    }
  })
  return examples
}

/** Which entry promises a name; the package that shows the example goes first. */
function promisedNames(first: string): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  const files = globSync('packages/*/src/{index,*/index}.ts').sort(
    (a, b) =>
      Number(b.startsWith(`packages/${first}/`)) - Number(a.startsWith(`packages/${first}/`)),
  )
  for (const file of files) {
    const [, name, inner] = /^packages\/([^/]+)\/src\/(?:([^/]+)\/)?index\.ts$/.exec(file) ?? []
    const entry = `@steelyard/${name}${inner === undefined ? '' : `/${inner}`}`
    for (const [, list] of readFileSync(file, 'utf8').matchAll(/^export (?:type )?\{([^}]*)\}/gm)) {
      for (const [word] of (list ?? '').matchAll(/\b(?!type\b)[A-Za-z_$][\w$]*\b/g)) {
        if (!names.has(word)) names.set(word, entry)
      }
    }
  }
  return names
}

function imports(code: string, promised: ReadonlyMap<string, string>): string {
  if (/^import /m.test(code)) return ''
  const words = new Set(
    code.replace(/'[^']*'|\/\/.*/g, '').match(/(?<![.\w])[A-Za-z_$][\w$]*(?!\w|:)/g),
  )
  return [...words]
    .filter(
      (word) =>
        promised.has(word) && !new RegExp(`\\b(?:const|let|function) ${word}\\b`).test(code),
    )
    .map((word) => `import { ${word} } from '${promised.get(word)}';`)
    .join('')
}
