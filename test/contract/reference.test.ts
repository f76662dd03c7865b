// Request sequences with the answers of a real kube-apiserver, replayed against ours on both platforms. The recordings lie beside the project; where they
// are absent there is nothing to replay.
import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ControlPlane } from '../rig/control-plane.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import { differences, sometimes } from './reference-differences.ts'

const folder = path.resolve(import.meta.dirname, '../../../shared/reference')
const present = existsSync(path.join(folder, 'replay.mjs'))
if (!present) console.warn('the recorded reference answers are not here: nothing is replayed')

function replay(url: string, part: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [
        path.join(folder, 'replay.mjs'),
        'check',
        url,
        'admintoken',
        path.join(folder, `cases-${part}.mjs`),
        path.join(folder, `golden-${part}.json`),
      ],
      { maxBuffer: 32 << 20 },
      (_, out) => resolve(out),
    )
  })
}

// A table's age column shows the seconds that passed since the create: the recording had none.
const onlyAges = (lines: string) =>
  lines
    .trimEnd()
    .split('\n')
    .every((l) => /\.rows\.\d+\.cells\.\d+: want "\d+s" got "\d+s"$/.test(l))

if (present)
  for (const platform of ['node', 'workers'])
    describe(`recorded answers on ${platform}`, () => {
      const tokens = temporaryFolder('tokens')
      let cp: ControlPlane
      const seen: string[] = []
      beforeAll(async () => {
        const file = path.join(tokens.path, 'tokens.csv')
        writeFileSync(file, 'admintoken,admin,admin,system:masters\nalice-token,alice,u1,devs\nbob-token,bob,u2,\n')
        cp = await ControlPlane.start('127.0.0.1', ['--token-file', file, '--platform', platform])
      })
      afterAll(async () => {
        await cp?.stop()
        tokens.remove()
      })
      test.each(['errors', 'objects', 'reads', 'writes'])('%s', async (part) => {
        const out = await replay(cp.url, part)
        const differing = [...out.matchAll(/^differs {2}(.+) \(\d+\)\n((?: {4}.*\n?)*)/gm)]
          .filter((m) => !onlyAges(m[2]!))
          .map((m) => m[1]!)
        expect(
          differing.filter((name) => !(name in differences) && !(name in sometimes)),
          out,
        ).toEqual([])
        seen.push(...differing)
      })
      test('what is listed as different still is', () =>
        expect(Object.keys(differences).filter((name) => !seen.includes(name))).toEqual([]))
    })
else test('there are no recordings', () => expect(Object.keys(differences).length).toBeGreaterThan(0))
