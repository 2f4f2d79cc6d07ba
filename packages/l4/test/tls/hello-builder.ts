/** Bytes of ClientHellos, right and wrong ones, for tests. */
export interface HelloParts {
  readonly version?: number
  readonly sessionId?: Uint8Array
  readonly ciphers?: Uint8Array
  readonly compression?: Uint8Array
  /** `undefined`: the extension block is left out. */
  readonly extensions?: readonly (readonly [type: number, body: Uint8Array])[] | undefined
}

export const u16 = (value: number): number[] => [value >>> 8, value & 0xff]
export const text = (value: string): number[] => [...value].map((c) => c.charCodeAt(0))

/** The body of a ClientHello. */
export function helloBody(parts: HelloParts): Uint8Array {
  const {
    version = 0x0303,
    sessionId = new Uint8Array(0),
    ciphers = Uint8Array.of(0x13, 0x01),
  } = parts
  const compression = parts.compression ?? Uint8Array.of(0)
  const bytes = [
    ...u16(version),
    ...new Uint8Array(32).fill(7),
    ...[sessionId.length, ...sessionId],
    ...[...u16(ciphers.length), ...ciphers],
    ...[compression.length, ...compression],
  ]
  if (parts.extensions !== undefined) {
    const block = parts.extensions.flatMap(([type, body]) => [
      ...u16(type),
      ...u16(body.length),
      ...body,
    ])
    bytes.push(...u16(block.length), ...block)
  }
  return Uint8Array.from(bytes)
}

/** The handshake message around a body. */
export function message(body: Uint8Array, type = 1): Uint8Array {
  return Uint8Array.of(
    type,
    body.length >>> 16,
    (body.length >>> 8) & 0xff,
    body.length & 0xff,
    ...body,
  )
}

/** Handshake bytes in records of at most `size` bytes. */
export function records(bytes: Uint8Array, size = 16_384, type = 22): Uint8Array {
  const out: number[] = []
  for (let at = 0; at < bytes.length; at += size) {
    const fragment = bytes.subarray(at, at + size)
    out.push(type, 3, 1, ...u16(fragment.length), ...fragment)
  }
  return Uint8Array.from(out)
}

export function serverName(
  ...names: (string | readonly [number, string])[]
): readonly [number, Uint8Array] {
  const list = names.flatMap((name) => {
    const [type, value] = typeof name === 'string' ? [0, name] : name
    return [type, ...u16(value.length), ...text(value)]
  })
  return [0, Uint8Array.of(...u16(list.length), ...list)]
}

export function alpn(...protocols: string[]): readonly [number, Uint8Array] {
  const list = protocols.flatMap((protocol) => [protocol.length, ...text(protocol)])
  return [16, Uint8Array.of(...u16(list.length), ...list)]
}

/** A whole ClientHello in one record. */
export function hello(parts: HelloParts): Uint8Array {
  return records(message(helloBody(parts)))
}
