// Which of Docker's options profiles come to.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { securityProfiles } from './security-profiles.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'kedge-profiles-'))
  writeFileSync(path.join(folder, 'audit.json'), '{"defaultAction":"SCMP_ACT_LOG"}')
  writeFileSync(path.join(folder, 'profiles'), 'docker-default (enforce)\nweb (complain)\n')
})
afterAll(() => rmSync(folder, { recursive: true }))

const profiles = (pod: object, container: object, hasAppArmor = true) =>
  securityProfiles(
    { spec: { securityContext: pod } },
    { securityContext: container },
    { seccompRoot: folder, apparmorProfiles: path.join(folder, hasAppArmor ? 'profiles' : 'none') },
  )

const unconfined = { type: 'Unconfined' }
const local = (localhostProfile: string) => ({ type: 'Localhost', localhostProfile })
test.each<[string, object, object, string[]]>([
  ['nothing said', {}, {}, []],
  ["the runtime's own", { seccompProfile: { type: 'RuntimeDefault' } }, {}, []],
  ['none', { seccompProfile: unconfined, appArmorProfile: unconfined }, {}, ['seccomp=unconfined', 'apparmor=unconfined']],
  [
    "the container's before the pod's",
    { seccompProfile: unconfined },
    { seccompProfile: local('audit.json') },
    ['seccomp={"defaultAction":"SCMP_ACT_LOG"}'],
  ],
  ['a loaded one', {}, { appArmorProfile: local('web') }, ['apparmor=web']],
  ['privileged', { seccompProfile: local('nope.json') }, { privileged: true }, []],
])('%s', (_, pod, container, want) => {
  expect(profiles(pod, container)).toEqual(want)
})

test.each<[string, object, boolean, RegExp]>([
  [
    'a file that is not there',
    { seccompProfile: local('nope.json') },
    true,
    /cannot load seccomp profile ".*nope\.json": open .*: no such file/,
  ],
  ['a file of somebody else', { seccompProfile: local('../../etc/passwd') }, true, /cannot load seccomp profile/],
  ['a profile that is not loaded', { appArmorProfile: local('we') }, true, /profile "we" is not loaded/],
  ['a host without AppArmor', { appArmorProfile: local('web') }, false, /AppArmor is not enabled on the host/],
])('%s holds the container', (_, pod, hasAppArmor, want) => {
  expect(() => profiles(pod, {}, hasAppArmor)).toThrow(want)
})

test('a host without AppArmor confines nobody', () => {
  expect(profiles({ appArmorProfile: unconfined }, {}, false)).toEqual([])
})
