import { invalidOption, shown } from '@steelyard/core'
import { parseAuthority } from '../gate/authority.ts'

/** A host name to be matched, read. */
export interface HostPattern {
  /** Without star and port, in the gate's form; empty for any host. */
  readonly name: string
  /** Names below {@link HostPattern.name}, at any depth, and not the name itself. */
  readonly wildcard: boolean
  /** 0 for any. */
  readonly port: number
  /** The pattern in its one form. */
  readonly text: string
}

const encoder = new TextEncoder()

/**
 * Reads `www.example.com`, `*.example.com` or `*`, each with or without `:port`. The wildcard stands for one or more
 * labels. Names are read as the gate reads Host: internationalised names are to be written in their ASCII form.
 *
 * @throws `invalid-option`
 */
export function parseHostPattern(text: string, path: string): HostPattern {
  if (typeof text === 'string') {
    const wildcard = text.startsWith('*.')
    const any = text === '*' || text.startsWith('*:')
    // The star's own part is read as a name, so that there is one reader of ports.
    const written = any ? `any${text.slice(1)}` : wildcard ? text.slice(2) : text
    const bytes = encoder.encode(written)
    const authority = parseAuthority(bytes, 0, bytes.length)
    if (authority !== undefined && !(wildcard && isAddress(authority.host))) {
      const { host, port } = authority
      const behind = port === 0 ? '' : `:${port}`
      return Object.freeze({
        name: any ? '' : host,
        wildcard,
        port,
        text: any ? `*${behind}` : `${wildcard ? '*.' : ''}${host}${behind}`,
      })
    }
  }
  throw invalidOption(
    path,
    `${shown(text)} is no host: write www.example.com, *.example.com or *, with :port if that matters, and internationalised names as xn--…`,
  )
}

function isAddress(host: string): boolean {
  return host.startsWith('[') || /^[\d.]+$/.test(host)
}

/** Is the host meant by the pattern, its port aside? `host` is in the gate's form. */
export function hostFits(pattern: HostPattern, host: string): boolean {
  const { name, wildcard } = pattern
  if (name === '') return true
  if (!wildcard) return host === name
  const dot = host.length - name.length - 1
  return dot > 0 && host.charCodeAt(dot) === 0x2e && host.endsWith(name)
}
