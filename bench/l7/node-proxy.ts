import { fileURLToPath } from 'node:url'
import { daemon } from '../daemon.ts'
import type { Contender } from '../measure.ts'
import { certificateFiles, type Setup } from './setup.ts'

/** What the scripts `proxy-*.ts` are told, as JSON in their first argument. */
export interface NodeProxyOrder {
  readonly listen: number
  readonly backend: number
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  readonly rules: number
  /** Details for one script. */
  readonly variant: string
}

/** A proxy in Node, by its script. */
export function nodeProxy(setup: Setup, name: string, script: string, variant = ''): Contender {
  return {
    name,
    start({ listen, backend, folder, cpu }) {
      const { cert, key } = certificateFiles(folder)
      const tls = setup.tls ? { cert, key } : undefined
      const order: NodeProxyOrder = { listen, backend, tls, rules: setup.rules, variant }
      const file = fileURLToPath(new URL(script, import.meta.url))
      return daemon(
        cpu,
        [process.execPath, file, JSON.stringify(order)],
        { line: /listening/ },
        { NODE_ENV: 'production' },
      )
    },
  }
}

/** For the scripts: the order they were given. */
export function nodeProxyOrder(): NodeProxyOrder {
  return JSON.parse(process.argv[2] ?? '') as NodeProxyOrder
}
