import { assignAddresses, defineAddressPools } from './addresses.ts'
import { findAdvice } from './advice.ts'
import { findMisfits } from './applicability.ts'
import type { Desired } from './desired.ts'
import type { DocumentFiles } from './document-files.ts'
import { findUnreadableFiles } from './file-rules.ts'
import { type Finding, inOrder } from './finding.ts'
import { effectOf } from './finding-codes.ts'
import { findRuleProblems } from './http-rules.ts'
import { type Inspection, inspection, type Quarantined } from './inspection.ts'
import { keepRunning } from './keep-running.ts'
import { findListenerProblems } from './listener-rules.ts'
import { normalise } from './normalise.ts'
import { type Parsed, type ParseOptions, parse } from './parse.ts'
import { findPoolProblems } from './pool-rules.ts'
import { findLoops, findPortConflicts } from './port-rules.ts'
import { findDuplicateNames, findUnknownAddressPools, findUnknownPools } from './references.ts'

/** What {@link resolve} may use and how it decides. */
export interface ResolveOptions {
  /** Looks at the files that the document names. Default: nobody looks. */
  readonly files?: DocumentFiles
  /**
   * What runs now: its addresses stay with their load balancers, and what has to be left out goes on in
   * its running form where that is in nobody's way. Default: nothing runs.
   */
  readonly running?: Desired
  /** One error of any kind refuses the whole document. Default `false`: conflicts leave out only who has them. */
  readonly strict?: boolean
}

/** What became of a document. */
export interface Resolution {
  /** What to do; absent when the document is refused. */
  readonly desired?: Desired
  /** What was left out of it, by name; the rest applies. */
  readonly quarantined: readonly Quarantined[]
  /** All findings, also those of text and form, in order of position. */
  readonly findings: readonly Finding[]
}

/**
 * Judges the references and conflicts of a document, and normalises it. An object in conflict is left
 * out and named, and the rest applies; of two that want the same, the first in the document has it.
 * Errors of text or form refuse the document as a whole, but references and conflicts of what is valid
 * are judged all the same, so that all findings come at once. Pure but for `files`.
 */
export function resolve(parsed: Parsed, options: ResolveOptions = {}): Resolution {
  const { source, tree, draft, document } = parsed
  if (tree === undefined || draft === undefined)
    return { quarantined: [], findings: parsed.findings }
  const found = inspection(source, tree, draft)
  const addresses = inspect(found, options)
  if (document !== undefined && found.findings.length === 0) findAdvice(found)
  const findings = inOrder([...parsed.findings, ...found.findings])
  const isRefused =
    document === undefined ||
    findings.some(
      ({ code, severity }) =>
        effectOf(code) === 'refuse' || (options.strict === true && severity === 'error'),
    )
  if (isRefused) return { quarantined: [], findings }
  const fresh = normalise(document, found, addresses)
  const { desired, quarantined } = keepRunning(fresh, found.leftOut, options.running)
  return { desired, quarantined, findings }
}

/** {@link parse} and {@link resolve} in one. */
export function load(
  text: string | Uint8Array,
  fileName: string,
  options: ResolveOptions & ParseOptions = {},
): Resolution {
  return resolve(parse(text, fileName, options), options)
}

/** All rules, in the order in which one may leave out what the next would stumble over. */
function inspect(found: Inspection, options: ResolveOptions): ReadonlyMap<string, string> {
  findMisfits(found)
  findDuplicateNames(found)
  findPoolProblems(found)
  if (options.files !== undefined) findUnreadableFiles(found, options.files)
  const addressPools = defineAddressPools(found)
  findUnknownAddressPools(found)
  findListenerProblems(found)
  findUnknownPools(found)
  findRuleProblems(found, options.files)
  const inUse = new Map<string, string>()
  for (const { name, address } of Object.values(options.running?.loadBalancers ?? {})) {
    if (address !== undefined) inUse.set(name, address)
  }
  const addresses = assignAddresses(found, addressPools, inUse)
  findPortConflicts(found, addresses)
  findLoops(found, addresses)
  return addresses
}
