/**
 * IP addresses, blocks and endpoints, each parsed once.
 *
 * @packageDocumentation
 */
export { type Address, addressOf, parseAddress, tryParseAddress } from './address.ts'
export { type Cidr, contains, masked, parseCidr } from './cidr.ts'
export { type CidrSet, cidrSet } from './cidr-set.ts'
export { type Endpoint, parseEndpoint } from './endpoint.ts'
