// What is said of a pod's block devices.
import { expect, test } from 'vitest'
import { FieldErrors } from '../meta/field-error.ts'
import { validatePodSpec } from './pod-validation.ts'

const faults = (volumeDevices: object[], volumeMounts: object[] = []) => {
  const claim = { claimName: 'c' }
  const e = new FieldErrors()
  validatePodSpec(
    {
      containers: [{ name: 'c', image: 'i', volumeDevices, volumeMounts }],
      volumes: [
        { name: 'a', persistentVolumeClaim: claim },
        { name: 'b', persistentVolumeClaim: claim },
        { name: 'empty', emptyDir: {} },
      ],
    },
    'spec',
    e,
  )
  return e.causes
    .filter((c) => c.field.includes('volumeDevices'))
    .map((c) => `${c.field.replace('spec.containers[0].volumeDevices', '')} ${c.message}`)
}
const a = { name: 'a', devicePath: '/dev/a' }

test('a claim', () => expect(faults([a, { name: 'b', devicePath: '/dev/b' }])).toEqual([]))

test.each<[string, object[], object[], string]>([
  ['no name', [{ devicePath: '/dev/a' }], [], '[0].name Required value'],
  ['no path', [{ name: 'a' }], [], '[0].devicePath Required value'],
  ['a volume that is not there', [{ ...a, name: 'x' }], [], '[0].name Not found: "x"'],
  ['a folder', [{ ...a, name: 'empty' }], [], 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'],
  ['a volume twice', [a, { name: 'a', devicePath: '/dev/b' }], [], '[1].name Invalid value: "a": must be unique'],
  ['a path twice', [a, { name: 'b', devicePath: '/dev/a' }], [], '[1].devicePath Invalid value: "/dev/a": must be unique'],
  ['a way up', [{ name: 'a', devicePath: '/dev/../a' }], [], "can not contain backsteps ('..')"],
  [
    'a volume that is mounted',
    [a],
    [{ name: 'a', mountPath: '/a' }],
    '[0].name Invalid value: "a": must not already exist in volumeMounts',
  ],
  ['a path of a mount', [a], [{ name: 'b', mountPath: '/dev/a' }], 'must not already exist as a path in volumeMounts'],
])('%s is refused', (_, devices, mounts, words) => expect(faults(devices, mounts).join()).toContain(words))
