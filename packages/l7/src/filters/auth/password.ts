import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { invalidOption, objectOption, shown, textOption } from '@steelyard/core'

/** A password's hash by scrypt (RFC 7914). */
export interface ScryptHash {
  /** Cost is 2 to the power of this. */
  readonly logN: number
  readonly r: number
  readonly p: number
  readonly salt: Uint8Array
  readonly key: Uint8Array
}

/** How {@link hashPassword} hashes. */
export interface PasswordHashOptions {
  /** Cost as a power of 2, from 10 to 20. Default 15: 32 MiB and some 80 ms. */
  readonly logN?: number
  /** Default 8. */
  readonly r?: number
  /** Default 1. */
  readonly p?: number
}

const form =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,128})\$([A-Za-z0-9+/]{22,172})$/

/**
 * Makes the text of a password that `basicAuth` takes: `$scrypt$ln=15,r=8,p=1$salt$hash` (PHC string format).
 *
 * @throws `invalid-option`
 */
export async function hashPassword(
  password: string,
  options: PasswordHashOptions = {},
): Promise<string> {
  const { logN = 15, r = 8, p = 1 } = objectOption(options, 'hashPassword')
  const salt = randomBytes(16)
  const checked = checkedCost({ logN, r, p, salt, key: new Uint8Array(32) }, 'hashPassword')
  const key = await derive(textOption(password, 'password'), checked)
  return `$scrypt$ln=${logN},r=${r},p=${p}$${bare(salt)}$${bare(key)}`
}

/**
 * Reads what {@link hashPassword} made.
 *
 * @throws `invalid-option`
 */
export function scryptHash(text: string, path: string): ScryptHash {
  const match = form.exec(typeof text === 'string' ? text : '')
  if (match === null) {
    // The value may be a password: it is not shown.
    throw invalidOption(
      path,
      'is no scrypt hash: make one with hashPassword(), or write { plain: … } to keep the password itself',
    )
  }
  const [, logN, r, p, salt = '', key = ''] = match
  return checkedCost(
    {
      logN: Number(logN),
      r: Number(r),
      p: Number(p),
      salt: Buffer.from(salt, 'base64'),
      key: Buffer.from(key, 'base64'),
    },
    path,
  )
}

/** Is it the password? By scrypt, in the same time for the right one and a wrong one. */
export async function matchesHash(password: string, hash: ScryptHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, hash), hash.key)
}

/** Are two texts the same? In a time that does not tell where they differ, nor which is longer. */
export function sameText(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b))
}

function derive(password: string, { logN, r, p, salt, key }: ScryptHash): Promise<Buffer> {
  const N = 2 ** logN
  return new Promise((resolve, reject) => {
    scrypt(
      password.normalize('NFC'),
      salt,
      key.length,
      { N, r, p, maxmem: 128 * N * r + 1024 * 1024 * (1 + p) },
      (error, derived) => {
        if (error === null) resolve(derived)
        else reject(error)
      },
    )
  })
}

/** A hash that costs more than this would be a weapon against ourselves. */
function checkedCost(hash: ScryptHash, path: string): ScryptHash {
  const { logN, r, p } = hash
  const whole = Number.isInteger(logN) && Number.isInteger(r) && Number.isInteger(p)
  if (whole && logN >= 10 && logN <= 20 && r >= 1 && r <= 32 && p >= 1 && p <= 16) {
    if (128 * 2 ** logN * r <= 1024 ** 3) return Object.freeze(hash)
  }
  throw invalidOption(
    path,
    `scrypt with ln=${shown(logN)}, r=${shown(r)}, p=${shown(p)} is out of bounds: use ln 10 to 20, r 1 to 32, p 1 to 16, and 1 GiB at most`,
  )
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

function bare(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '')
}
