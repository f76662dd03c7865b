// Which credentials an image's registry is opened with, by cases of kubelet's own keyring.
import { expect, test } from 'vitest'
import { configOf, credentialsFor } from './keyring.ts'

const auth = (user: string, password = 'p') => Buffer.from(`${user}:${password}`).toString('base64')
const config = (servers: Record<string, string>) =>
  JSON.stringify({ auths: Object.fromEntries(Object.entries(servers).map(([s, user]) => [s, { auth: auth(user) }])) })

test.each<[string, Record<string, string>, string, string[]]>([
  ['a host', { 'reg.example.com': 'a' }, 'reg.example.com/x:1', ['a']],
  ['another host', { 'reg.example.com': 'a' }, 'other.example.com/x', []],
  ['a scheme and a version', { 'https://reg.example.com/v2/': 'a' }, 'reg.example.com/x', ['a']],
  ['a port', { 'reg.example.com:5000': 'a' }, 'reg.example.com:5000/x', ['a']],
  ['without the port', { 'reg.example.com': 'a' }, 'reg.example.com:5000/x', []],
  ['a part of any name', { '*.example.com': 'a' }, 'reg.example.com/x', ['a']],
  ['of as many parts', { '*.example.com': 'a' }, 'my.reg.example.com/x', []],
  ['a part of a part', { 'reg-*.example.com': 'a' }, 'reg-1.example.com/x', ['a']],
  ['a dot is a dot', { 'regXexample.com': 'a' }, 'reg.example.com/x', []],
  ['the longest path first', { 'r.io': 'a', 'r.io/team/app': 'c', 'r.io/team': 'b' }, 'r.io/team/app/x', ['c', 'b', 'a']],
  ['not of other paths', { 'r.io/team': 'b' }, 'r.io/others/x', []],
  ["Docker's own, as `docker login` writes it", { 'https://index.docker.io/v1/': 'a' }, 'nginx', ['a']],
  ['with a user', { 'https://index.docker.io/v1/': 'a' }, 'me/nginx:1', ['a']],
  ['with its name', { 'https://index.docker.io/v1/': 'a' }, 'docker.io/library/nginx', ['a']],
  ['by its short name', { 'docker.io': 'a' }, 'nginx', ['a']],
  ['not for others', { 'https://index.docker.io/v1/': 'a' }, 'localhost/nginx', []],
])('%s', (_, servers, image, users) => {
  expect(credentialsFor(image, [config(servers)]).map((c) => c.username)).toEqual(users)
})

test('secrets before the machine, each in its forms', () => {
  const old = JSON.stringify({ 'r.io': { username: 'old', password: 'q' } })
  const secret = { data: { '.dockercfg': Buffer.from(old).toString('base64') } }
  expect(credentialsFor('r.io/x', [...configOf(secret), config({ 'r.io': 'machine' })])).toEqual([
    { username: 'old', password: 'q', serveraddress: 'r.io' },
    { username: 'machine', password: 'p', serveraddress: 'r.io' },
  ])
})

test.each([
  ['no JSON', '{'],
  ['no object', '7'],
  ['nothing', 'null'],
  ['entries for helpers', JSON.stringify({ auths: { 'r.io': {} }, credsStore: 'desktop' })],
  ['no user', JSON.stringify({ auths: { 'r.io': { auth: Buffer.from('nobody').toString('base64') } } })],
])('of what is none: %s', (_, text) => {
  expect(credentialsFor('r.io/x', [text])).toEqual([])
})

test('a password may hold colons', () => {
  expect(credentialsFor('r.io/x', [JSON.stringify({ auths: { 'r.io': { auth: auth('a', 'b:c') } } })])[0]!.password).toBe('b:c')
})
