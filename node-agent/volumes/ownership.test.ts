// Whose a pod's volumes are.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeAtomically } from './atomic-writer.ts'
import { commonUser, giveToGroup } from './ownership.ts'

const spec = (pod: number | undefined, ...containers: (number | undefined)[]) => ({
  spec: {
    securityContext: { runAsUser: pod },
    containers: containers.map((runAsUser) => ({ securityContext: runAsUser === undefined ? undefined : { runAsUser } })),
  },
})
test.each([
  ["the pod's", spec(5, undefined, undefined), 5],
  ["the container's", spec(5, 7), 7],
  ['root is a user too', spec(0, undefined), 0],
  ['not agreed upon', spec(5, 7, undefined), undefined],
  ['not said', spec(undefined, 7, undefined), undefined],
])('the user that all run as: %s', (_, pod, want) => {
  expect(commonUser(pod)).toBe(want)
})

// Only root gives files away.
describe.skipIf(process.getuid?.() !== 0)('as root', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'kedge-owned-'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))
  const at = (...names: string[]) => path.join(root, ...names)
  const shown = (p: string) => {
    const { gid, uid, mode } = statSync(p)
    return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`
  }

  test('a volume is given to a group, whole, and nothing that is linked from it', () => {
    mkdirSync(at('v/d'), { recursive: true, mode: 0o755 })
    for (const f of ['v/f', 'v/d/run', 'other']) writeFileSync(at(f), '')
    chmodSync(at('v/f'), 0o600)
    chmodSync(at('v/d/run'), 0o755)
    chmodSync(at('other'), 0o600)
    symlinkSync(at('other'), at('v/link'))
    giveToGroup(at('v'), 4711)
    expect(['v', 'v/d', 'v/f', 'v/d/run', 'other'].map((f) => shown(at(f)))).toEqual([
      '0:4711 2775',
      '0:4711 2775',
      '0:4711 660',
      '0:4711 775',
      '0:0 600',
    ])
  })

  test('only where the root is not the group’s already, if that is asked for', () => {
    mkdirSync(at('v'))
    giveToGroup(at('v'), 4711)
    writeFileSync(at('v/f'), '')
    chmodSync(at('v/f'), 0o600)
    giveToGroup(at('v'), 4711, { policy: 'OnRootMismatch' })
    expect(shown(at('v/f'))).toBe('0:4711 600')
    giveToGroup(at('v'), 4711)
    expect(shown(at('v/f'))).toBe('0:4711 660')
  })

  test('files that change all at once are of a user and a group, and are written again when those change', () => {
    const file = (content: string, mode: number, uid?: number) => ({
      content: Buffer.from(content),
      mode,
      ...(uid === undefined ? {} : { uid }),
    })
    const files = new Map([
      ['key', file('a', 0o400)],
      ['deep/token', file('b', 0o600, 1000)],
    ])
    expect(writeAtomically(at('v'), files, 4711)).toBe(true)
    expect(writeAtomically(at('v'), files, 4711)).toBe(false)
    expect([shown(at('v/key')), shown(at('v/deep/token')), shown(at('v/deep'))]).toEqual(['0:4711 440', '1000:4711 640', '0:4711 2755'])
    expect(writeAtomically(at('v'), files)).toBe(true)
    expect([shown(at('v/key')), readFileSync(at('v/key'), 'utf8')]).toEqual(['0:0 400', 'a'])
  })
})
