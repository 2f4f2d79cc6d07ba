/**
 * What a finding does to the document when it is applied: `refuse` refuses it whole, `quarantine` leaves
 * out only the object it names, `none` changes nothing.
 */
export type Effect = 'refuse' | 'quarantine' | 'none'

/** Every finding code, with what it does and what it means. */
export const findingCodes = {
  // The text.
  'document-too-large': ['refuse', 'The document is larger than the limit.'],
  'document-not-utf8': ['refuse', 'The document is not UTF-8 text.'],
  'document-empty': ['refuse', 'The document has no content.'],
  'several-documents': ['refuse', 'The file holds more than one YAML document.'],
  'yaml-syntax': ['refuse', 'The text is not YAML.'],
  'yaml-tab': ['refuse', 'A tab indents a line; YAML allows only spaces there.'],
  'yaml-too-deep': ['refuse', 'Values are nested too deeply, or there are too many of them.'],
  'yaml-directive': ['refuse', 'A %YAML directive asks for another version than 1.2.'],
  'yaml-tag': ['refuse', 'A value has a tag; the document uses none.'],
  'yaml-alias': ['refuse', 'An alias has no anchor before it, or holds itself.'],
  'duplicate-key': ['refuse', 'A key stands twice in one mapping.'],
  'too-many-findings': ['refuse', 'More findings follow that are not shown.'],
  // The form.
  'unknown-key': ['refuse', 'A key that does not exist here.'],
  'missing-key': ['refuse', 'A key that must be there is not.'],
  'wrong-type': ['refuse', 'A value of another kind than asked for, such as text for a number.'],
  'out-of-range': ['refuse', 'A number, length or count is outside its bounds.'],
  'unknown-value': ['refuse', 'A word that is none of those allowed here.'],
  'invalid-value': ['refuse', 'A text that does not have the form asked for, such as a duration.'],
  'option-not-applicable': ['refuse', 'An option has no meaning together with another one.'],
  // References and conflicts between objects.
  'duplicate-name': ['quarantine', 'Two objects of one kind have the same name.'],
  'duplicate-member': ['quarantine', 'A pool names the same member twice.'],
  'unknown-pool': ['quarantine', 'A pool that does not exist is referred to.'],
  'unknown-address-pool': ['quarantine', 'An address pool that does not exist is referred to.'],
  'address-pool-overlap': ['quarantine', 'Two address pools hold the same addresses.'],
  'address-pool-invalid': ['quarantine', 'The ranges of an address pool do not go together.'],
  'vip-missing': ['quarantine', 'A listener with a port has no address.'],
  'vip-not-in-pool': ['quarantine', 'The fixed address is not one of the address pool.'],
  'vip-excluded': ['quarantine', 'The fixed address is one that the address pool excludes.'],
  'vip-taken': ['quarantine', 'The address is in use by another load balancer.'],
  'address-pool-exhausted': ['quarantine', 'The address pool has no free address left.'],
  'address-pool-disabled': ['quarantine', 'The address pool gives out no new addresses.'],
  'port-conflict': ['quarantine', 'Two listeners want the same address and port.'],
  'pool-not-for-udp': ['quarantine', 'A pool wants of UDP what only TCP can do.'],
  'forwarding-loop': ['quarantine', 'A listener would forward to itself.'],
  'timeout-exceeds-interval': ['quarantine', 'A health check may take longer than its interval.'],
  'algorithm-invalid': ['quarantine', 'The options of an algorithm do not go together.'],
  'route-shadowed': ['quarantine', 'A route is never used, because an earlier one takes its name.'],
  'rule-invalid': ['quarantine', 'A rule cannot do what it says; its requests get 503.'],
  'condition-invalid': [
    'quarantine',
    'The condition of a rule is none, so that the rule is not there.',
  ],
  'listener-invalid': ['quarantine', 'Options of an HTTP listener do not go together.'],
  'pool-not-for-http': ['quarantine', 'A pool wants of HTTP what only plain connections can do.'],
  'certificate-missing': ['quarantine', 'TLS is to be terminated, but there is no certificate.'],
  'certificate-invalid': ['quarantine', 'A certificate and its key do not go together.'],
  'tls-twice': ['quarantine', 'TLS passes through untouched, and the pool would encrypt it again.'],
  'file-unreadable': ['quarantine', 'A file that the document names cannot be read.'],
  'file-not-pem': ['quarantine', 'A file does not hold what it should, in PEM form.'],
  // Advice.
  'unused-pool': ['none', 'No listener uses the pool.'],
  'pool-without-members': ['none', 'The pool has no member.'],
  'admin-exposed': ['none', 'The admin endpoint can be reached from other machines.'],
} as const satisfies Readonly<Record<string, readonly [Effect, string]>>

/** The stable name of a kind of finding. */
export type FindingCode = keyof typeof findingCodes

/** What a finding of this kind does. */
export function effectOf(code: FindingCode): Effect {
  return findingCodes[code][0]
}
