// How our tokens look and how they are kept: 256 random bits behind a prefix that says what opens with them; only a hash is stored.
import type { Random } from '../ports/clock.ts'

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')

export const newToken = (random: Random, kind: string): string => `kedge-${kind}-${base64url(random.bytes(32))}`

export async function hashToken(token: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))))
}
