// Who may call a hook, provider by provider.
import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { deliveryId, verified } from './verify.ts'

const SECRET = 'a secret'
const body = new TextEncoder().encode('{"a":1}')
const hmac = (secret = SECRET) => createHmac('sha256', secret).update(body).digest('hex')

const cases: [name: string, provider: string, headers: Record<string, string>, token: string | undefined, good: boolean][] = [
  ['GitHub, signed', 'GitHub', { 'x-hub-signature-256': `sha256=${hmac()}` }, undefined, true],
  ['GitHub, signed by somebody else', 'GitHub', { 'x-hub-signature-256': `sha256=${hmac('another')}` }, undefined, false],
  ['GitHub, not signed', 'GitHub', {}, undefined, false],
  ['GitHub, with a token in place of a signature', 'GitHub', {}, SECRET, false],
  ['GitHub, with a bearer token in place of a signature', 'GitHub', { authorization: `Bearer ${SECRET}` }, undefined, false],
  ['Gitea', 'Gitea', { 'x-gitea-signature': hmac() }, undefined, true],
  ['Forgejo', 'Gitea', { 'x-forgejo-signature': hmac() }, undefined, true],
  ['Bitbucket', 'Bitbucket', { 'x-hub-signature': `sha256=${hmac()}` }, undefined, true],
  ['GitLab', 'GitLab', { 'x-gitlab-token': SECRET }, undefined, true],
  ['GitLab, wrong token', 'GitLab', { 'x-gitlab-token': `${SECRET}x` }, undefined, false],
  ['Docker Hub', 'DockerHub', {}, SECRET, true],
  ['Docker Hub, wrong address', 'DockerHub', {}, 'guess', false],
  ['Harbor', 'Registry', { authorization: SECRET }, undefined, true],
  ['a registry with a bearer token', 'Registry', { authorization: `Bearer ${SECRET}` }, undefined, true],
  ['generic, signed', 'Generic', { 'x-kedge-signature': `sha256=${hmac()}` }, undefined, true],
  ['generic, with a wrong signature and the right token', 'Generic', { 'x-kedge-signature': 'sha256=00' }, SECRET, false],
  ['generic, bearer', 'Generic', { authorization: `Bearer ${SECRET}` }, undefined, true],
  ['generic, nothing', 'Generic', {}, undefined, false],
]
test.each(cases)('%s', async (_name, provider, headers, token, good) => {
  expect(await verified(provider, SECRET, body, (n) => headers[n], token)).toBe(good)
})

test.each(['GitHub', 'GitLab', 'DockerHub', 'Generic'])('%s: without a secret nobody gets in, whatever he says', async (provider) => {
  for (const secret of [undefined, ''])
    for (const said of ['', 'no secret: nothing fits'])
      expect(
        await verified(
          provider,
          secret,
          body,
          (n) => (n === 'x-hub-signature-256' ? `sha256=${hmac('no secret: nothing fits')}` : said),
          said,
        ),
      ).toBe(false)
})

test('the id is the provider’s own', () => {
  expect(deliveryId('GitHub', (n) => (n === 'x-github-delivery' ? '7' : undefined))).toBe('7')
  expect(deliveryId('DockerHub', () => '7')).toBeUndefined()
})
