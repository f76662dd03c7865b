// Whether a call comes from whoever has the secret. Every comparison takes the same time, whatever is compared.

const encoder = new TextEncoder()

const hex = (bytes: ArrayBuffer): string => [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, '0')).join('')

export const sha256 = async (bytes: Uint8Array): Promise<string> => hex(await crypto.subtle.digest('SHA-256', bytes as BufferSource))

async function hmac(secret: string, body: Uint8Array): Promise<string> {
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return hex(await crypto.subtle.sign('HMAC', key, body as BufferSource))
}

/** Compares digests of both under a key of the moment: neither length nor place of a difference shows in the time. */
async function same(a: string, b: string): Promise<boolean> {
  const key = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
  const tag = await crypto.subtle.sign('HMAC', key, encoder.encode(a))
  return crypto.subtle.verify('HMAC', key, tag, encoder.encode(b))
}

type Headers = (name: string) => string | undefined

/** Whether the provider signs the body, so that the body itself tells calls apart. */
export const signs = (provider: string, header: Headers): boolean =>
  ['GitHub', 'Gitea', 'Bitbucket'].includes(provider) || (provider === 'Generic' && header('x-kedge-signature') !== undefined)

/** The provider's own id of a call. */
export const deliveryId = (provider: string, header: Headers): string | undefined => {
  const name: Record<string, string[]> = {
    GitHub: ['x-github-delivery'],
    Gitea: ['x-gitea-delivery', 'x-forgejo-delivery'],
    GitLab: ['idempotency-key', 'x-gitlab-event-uuid'],
    Bitbucket: ['x-request-uuid'],
    Generic: ['x-kedge-delivery'],
  }
  return (name[provider] ?? []).map(header).find(Boolean)?.slice(0, 100)
}

/** `token` is what the URL ended in. Without a secret the answer is no, and takes as long. */
export async function verified(
  provider: string,
  secret: string | undefined,
  body: Uint8Array,
  header: Headers,
  token: string | undefined,
): Promise<boolean> {
  const key = secret || 'no secret: nothing fits'
  const bearer = header('authorization')?.replace(/^(Bearer|token|Basic)\s+/i, '')
  const given: Record<string, string | undefined> = {
    GitHub: header('x-hub-signature-256')?.replace(/^sha256=/, ''),
    Gitea: header('x-gitea-signature') ?? header('x-forgejo-signature') ?? header('x-hub-signature-256')?.replace(/^sha256=/, ''),
    Bitbucket: header('x-hub-signature')?.replace(/^sha256=/, ''),
    Generic: header('x-kedge-signature')?.replace(/^sha256=/, ''),
  }
  const signature = given[provider]
  const expected = await hmac(key, body)
  // What a provider signs has to be signed: a token in the URL does not make up for it.
  const fits = signs(provider, header)
    ? await same((signature ?? '').toLowerCase(), expected)
    : await same((provider === 'GitLab' ? header('x-gitlab-token') : undefined) ?? bearer ?? token ?? '', key)
  return fits && !!secret
}
