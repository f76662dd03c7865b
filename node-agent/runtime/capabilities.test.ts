// What a bounding set says.
import { expect, test } from 'vitest'
import { lackedBy } from './capabilities.ts'

test.each([
  ['a whole one', '000001ffffffffff', 40, []],
  ['one without limits to raise', '000001fffeffffff', 40, ['SYS_RESOURCE']],
  ['that of an older kernel', '0000003fffffffff', 37, []],
  ['one of a newer kernel, whose last one has no name here', '000001fffeffffff', 41, ['SYS_RESOURCE']],
  ['that of a usual container', '00000000a80425fb', 10, ['DAC_READ_SEARCH', 'LINUX_IMMUTABLE']],
])('%s', (_, set, last, want) => {
  expect(lackedBy(set, last)).toEqual(want)
})
