/** Bytes of hexadecimal text; white space and `;` comments up to the end of the line are skipped. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/;.*$/gm, '').replace(/\s+/g, '')
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

export const signature = '0d0a0d0a000d0a515549540a'

/** Sent by HAProxy 2.6.12 to a server over loopback. */
export const haproxy = {
  v1: hex('50524f58592054435034203132372e302e302e31203132372e302e302e3120343833393420393832310d0a'),
  v1six: hex('50524f58592054435036203a3a31203a3a3120333937353020393832320d0a'),
  /** `proxy-v2-options crc32c,unique-id` */
  v2: hex(`
    ${signature}
    21 11 0028                    ; PROXY, TCP over IPv4, 40 bytes follow
    7f000001 7f000001 a746 265f   ; 127.0.0.1:42822 to 127.0.0.1:9823
    03 0004 534722f3              ; CRC32C
    05 0012 3132372e302e302e312d34323832322d6964  ; UNIQUE_ID "127.0.0.1-42822-id"
  `),
  v2six: hex(`
    ${signature}
    21 21 002b                    ; PROXY, TCP over IPv6, 43 bytes follow
    00000000000000000000000000000001 00000000000000000000000000000001 ae10 2660
    03 0004 315917da              ; CRC32C
  `),
  /** `proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id` */
  v2tls: hex(`
    ${signature}
    21 11 0093
    7f000001 7f000001 c988 2661
    03 0004 e140c2f5              ; CRC32C
    01 0002 6832                  ; ALPN "h2"
    02 000f 7777772e6578616d706c652e636f6d        ; AUTHORITY "www.example.com"
    05 0012 3132372e302e302e312d35313539322d6964  ; UNIQUE_ID
    20 0051 07 00000000           ; SSL: TLS, certificate on connection and in session, verified
      21 0007 544c5376312e33      ; version "TLSv1.3"
      22 000a 636c69656e74206f6e65                ; common name "client one"
      25 0005 4543323536          ; key algorithm "EC256"
      24 0011 65636473612d776974682d534841323536  ; signature algorithm "ecdsa-with-SHA256"
      23 0016 544c535f4145535f3235365f47434d5f534841333834  ; cipher "TLS_AES_256_GCM_SHA384"
  `),
  /** A client on a unix socket. */
  v2unspec: hex(`${signature} 20 00 0000`),
}
