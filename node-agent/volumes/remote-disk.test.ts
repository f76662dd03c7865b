// What a process of its own says of a file system is what the kernel says.
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { fileSystem } from '../stats/machine.ts'
import { remoteDisk } from './remote-disk.ts'

test('as the kernel has it', async () => {
  const { capacityBytes, inodes } = fileSystem(tmpdir())!
  expect(await remoteDisk(tmpdir())).toMatchObject({ capacityBytes, inodes })
})

test('a place that is not there', async () => expect(await remoteDisk('/nowhere')).toBeUndefined())
