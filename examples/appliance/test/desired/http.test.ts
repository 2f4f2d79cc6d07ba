import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { formatFindings } from '../../src/commands/format-findings.ts'
import { type DesiredHttpListener, isHttp } from '../../src/desired/desired.ts'
import { poolNamesOf } from '../../src/desired/normalise.ts'
import { load, type Resolution } from '../../src/desired/resolve.ts'
import { plan } from '../../src/reconcile/plan.ts'
import { httpDocument } from './http-document.ts'

const pem = (name: string): string =>
  readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'latin1')
const files = { read: pem }

function resolved(before = '', after = ''): Resolution {
  expect(httpDocument).toContain(before)
  return load(httpDocument.replace(before, after), 'lb.yaml', { files })
}

/** `code path: message` of each finding of the document with one thing changed. */
function findings(before: string, after: string): string[] {
  return resolved(before, after).findings.map(
    ({ code, path, message }) => `${code} ${path}: ${message}`,
  )
}

function listener(resolution: Resolution, name: string): DesiredHttpListener {
  const found = resolution.desired?.listeners[`web/${name}`]
  if (found === undefined || !isHttp(found)) throw new Error(`there is no HTTP listener ${name}`)
  return found
}

const at = 'loadBalancers[0].listeners[1]'

describe('a document with HTTP listeners', () => {
  it('is good, and its listeners know their pools', () => {
    const resolution = resolved()
    expect(formatFindings(resolution.findings)).toBe('')
    expect(resolution.quarantined).toEqual([])
    expect(poolNamesOf(listener(resolution, 'secure'))).toEqual(['site', 'canary', 'grpc'])
    expect(listener(resolution, 'secure').timeouts).toMatchObject({ head: 5000, total: 300_000 })
  })

  it.each([
    [
      'port: 80\n',
      'port: 80\n        pol: x\n',
      'unknown-key',
      'loadBalancers[0].listeners[0].pol',
      /unknown key "pol"/,
    ],
    [
      'redirect: { scheme: https, status: 301 }',
      'redirect: { scheme: ftp }',
      'invalid-value',
      'loadBalancers[0].listeners[0].rules[0].redirect.scheme',
      /./,
    ],
    [
      'reject: { status: 404 }',
      'reject: { status: 404 }, pool: site',
      'option-not-applicable',
      `${at}.rules[4].reject`,
      /the rule has "pool" and "reject"/,
    ],
    [
      ', reject: { status: 404 } }',
      ' }',
      'missing-key',
      `${at}.rules[4].name`,
      /the rule does nothing/,
    ],
    [
      'drop: true }\n          - { name: closed',
      'drop: true, rewrite: { prefix: / } }\n          - { name: closed',
      'option-not-applicable',
      `${at}.rules[6].rewrite`,
      /"rewrite" is for rules that send to a pool/,
    ],
    [
      'compareType: STARTS_WITH, value: /api',
      'compareType: STARTSWITH, value: /api',
      'unknown-value',
      `${at}.policies[0].rules[0].compareType`,
      /"STARTSWITH" is no comparison/,
    ],
    [
      'upstream: { protocol: h2,',
      'upstream: { protocol: auto,',
      'option-not-applicable',
      'pools[2].upstream.protocol',
      /agreed on by TLS/,
    ],
  ])('refuses %s → %s', (before, after, code, path, message) => {
    const resolution = resolved(before, after)
    expect(resolution.desired).toBeUndefined()
    const found = resolution.findings.find((one) => one.code === code && one.path === path)
    expect(found?.message, JSON.stringify(findings(before, after))).toMatch(message)
  })

  it.each([
    [
      'pool: grpc\n          - name: mine',
      'pool: grcp\n          - name: mine',
      `unknown-pool ${at}.rules[2].pool: there is no pool "grcp"`,
      'calls',
    ],
    [
      'pattern: "^/v1/(.*)", replace: "/$1"',
      'pattern: "(", replace: "/$1"',
      `rule-invalid ${at}.rules[1].rewrite.regex.pattern: "(" is no regular expression`,
      'canary',
    ],
    [
      'rewrite: { regex:',
      'rewrite: { path: /x, regex:',
      `rule-invalid ${at}.rules[1].rewrite: has several of prefix, path and regex`,
      'canary',
    ],
    [
      'x-host: "%{host}"',
      'x-host: "%{hots}"',
      `rule-invalid ${at}.rules[1].headers.request`,
      'canary',
    ],
    [
      'upstream: { reuse: always, maxIdle: 10, idleTimeout: 5s, maxLifetime: 1m, maxRequests: 100 } }\n  - { name: grpc',
      'tls: {} }\n  - { name: grpc',
      `rule-invalid ${at}.rules[1].pools[1]: the members of "canary" are spoken to in another way`,
      'canary',
    ],
    [
      'startsWith: ops',
      'startsWith: ops, endsWith: x',
      `condition-invalid ${at}.rules[3].match.tls.subject.CN.endsWith: the test has startsWith and endsWith`,
      'mine',
    ],
    ['endsWith: .old', 'regex: "("', `condition-invalid ${at}.rules[7].match.host.regex`, 'closed'],
    ['value: /api', 'value: api', `condition-invalid ${at}.policies[0].rules[0].value`, 'api'],
    [
      'redirectUrl: "https://example.com/"',
      'redirectUrl: "ftp://example.com/"',
      `rule-invalid ${at}.policies[1].redirectUrl`,
      'out',
    ],
    [
      'name: moved',
      'name: closed',
      `duplicate-name ${at}.rules[8].name: two rules of "web/secure" are named "closed"`,
      'closed',
    ],
  ])('leaves one rule out for %s → %s', (before, after, finding, rule) => {
    const resolution = resolved(before, after)
    expect(findings(before, after)).toEqual([expect.stringContaining(finding)])
    expect(resolution.quarantined).toMatchObject([{ kind: 'rule', name: `web/secure/${rule}` }])
    const { rules, policies } = listener(resolution, 'secure')
    const left = [...rules, ...policies].filter(({ name }) => name === rule)
    if (finding.startsWith('condition')) expect(left).toEqual([])
    else expect(left.at(-1)?.unavailable).toBe(resolution.quarantined[0]!.reason)
    expect(listener(resolution, 'plain').rules).toHaveLength(1)
  })

  it.each([
    ['regex: "^/wp-"', 'regex: "("', `listener-invalid ${at}.rules[5].match.path.regex`],
    [
      'origins: ["https://*.example.com"]',
      'origins: ["example.com"]',
      `listener-invalid ${at}.filters.cors.origins[0]`,
    ],
    [
      'limit: 10, window: 1m',
      'limit: 10, window: 1m, burst: 5',
      `listener-invalid ${at}.filters.rateLimit[1]`,
    ],
    [
      'format: json, fields: [time, status]',
      'format: jsn',
      `listener-invalid ${at}.accessLog.format`,
    ],
    ['pseudonym: edge', 'pseudonym: "a b"', `listener-invalid ${at}.forwarding.pseudonym`],
    [
      'upgrades: [websocket] }\n        forwarding',
      'upgrades: [h2c] }\n        forwarding',
      `listener-invalid ${at}.gate.upgrades[0]`,
    ],
    ['"503": "<h1>', '"603": "<h1>', `listener-invalid ${at}.errorPages`],
    [
      'certificates: [{ cert: www.pem, key: www.key }]',
      'certificates: []',
      `certificate-missing ${at}.tls`,
    ],
  ])('leaves the listener out for %s → %s', (before, after, finding) => {
    const resolution = resolved(before, after)
    expect(findings(before, after)).toEqual([expect.stringContaining(finding)])
    expect(resolution.quarantined).toMatchObject([{ kind: 'listener', name: 'web/secure' }])
    expect(Object.keys(resolution.desired!.listeners)).toEqual(['web/plain', 'web/h2c'])
  })

  it('plans changes of rules one by one', () => {
    const running = resolved().desired!
    const steps = plan(resolved('firstByte: 5s }\n', 'firstByte: 7s }\n').desired!, running)
    expect(steps.flatMap(({ changes }) => changes.map(({ text }) => text))).toEqual([
      'rule login: timeouts.firstByte 5s → 7s',
    ])
    const moved = plan(
      resolved(
        '          - { name: idle, enabled: false, match: { path: /idle }, pool: site }\n',
        '',
      ).desired!,
      running,
    )
    expect(moved.flatMap(({ changes }) => changes.map(({ text }) => text))).toEqual([
      'rule idle removed',
    ])
  })
})
