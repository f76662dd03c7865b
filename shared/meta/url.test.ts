// Joining a server's own path with that of a request.
import { expect, test } from 'vitest'
import { under } from './url.ts'

test.each([
  ['https://h:6443', '/api/v1/pods?limit=1', 'https://h:6443/api/v1/pods?limit=1'],
  ['https://h:6443/', '/api', 'https://h:6443/api'],
  ['https://h/clusters/a', '/kedge/v1/join', 'https://h/clusters/a/kedge/v1/join'],
  ['https://h/clusters/a/', '/x?y=/z', 'https://h/clusters/a/x?y=/z'],
])('%s and %s', (server, path, want) => {
  expect(under(server, path).href).toBe(want)
})
