// Where an image is asked for when its registry has mirrors.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { elsewhere, readMirrors } from './mirrors.ts'

test.each<[string, Record<string, string[]>, string, string[]]>([
  ["one of Docker's own", { 'docker.io': ['https://m.io'] }, 'nginx', ['m.io/library/nginx']],
  ['with a tag', { 'docker.io': ['https://m.io'] }, 'nginx:1.27', ['m.io/library/nginx:1.27']],
  ['with a digest', { 'docker.io': ['https://m.io'] }, 'bitnami/redis@sha256:ab', ['m.io/bitnami/redis@sha256:ab']],
  ['with both', { 'docker.io': ['https://m.io'] }, 'docker.io/library/nginx:1@sha256:ab', ['m.io/library/nginx:1@sha256:ab']],
  ['by its older name', { 'docker.io': ['m.io'] }, 'index.docker.io/x/y', ['m.io/x/y']],
  ['of a registry with a port', { 'r.io:5000': ['http://10.0.0.1:5000'] }, 'r.io:5000/a/b:1', ['10.0.0.1:5000/a/b:1']],
  ['below a path', { 'r.io': ['https://m.io/v2/r/'] }, 'r.io/a', ['m.io/r/a']],
  ['by several, in order', { 'r.io': ['https://m.io', 'https://n.io', 'm.io'] }, 'r.io/a', ['m.io/a', 'n.io/a']],
  ['of any registry', { '*': ['https://m.io'], 'r.io': [] }, 'q.io/a', ['m.io/a']],
  ['but not of one that has its own', { '*': ['https://m.io'], 'r.io': [] }, 'r.io/a', []],
  ['itself is no mirror', { 'r.io': ['https://r.io', 'https://m.io'] }, 'r.io/a', ['m.io/a']],
  ['of a registry without any', { 'r.io': ['https://m.io'] }, 'nginx', []],
])('%s', (_, mirrors, image, want) => {
  expect(elsewhere(image, new Map(Object.entries(mirrors)))).toEqual(want)
})

test('the file, and what is no such file', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'kedge-mirrors-'))
  const file = path.join(folder, 'registries.yaml')
  try {
    expect((await readMirrors(file)).size).toBe(0)
    writeFileSync(
      file,
      'mirrors:\n  docker.io:\n    endpoint:\n      - "https://m.io"\n  "*":\n    endpoint: [http://n.io:5000]\nconfigs: {}\n',
    )
    expect([...(await readMirrors(file))]).toEqual([
      ['docker.io', ['https://m.io']],
      ['*', ['http://n.io:5000']],
    ])
    for (const text of ['mirrors: [a]', 'mirrors: {a: {endpoint: b}}', 'mirrors: {a: {endpoint: ["https://x y"]}}', 'mirrors: {']) {
      writeFileSync(file, text)
      await expect(readMirrors(file), text).rejects.toThrow()
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})
