// How our tokens look and how they are kept: 256 random bits behind a prefix that says what opens with them; only a hash is stored.
import { toBase64Url } from '../../shared/meta/base64.ts'
import type { Random } from '../ports/clock.ts'

export const newToken = (random: Random, kind: string): string => `kedge-${kind}-${toBase64Url(random.bytes(32))}`

export async function hashToken(token: string): Promise<string> {
  return toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))))
}
