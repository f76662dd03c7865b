// Which addresses a hook of a shared host may reach.
import { expect, test } from 'vitest'
import { isInside, outboundFor } from './outbound.ts'

test.each([
  ['127.0.0.1', true],
  ['10.1.2.3', true],
  ['169.254.169.254', true],
  ['172.20.0.1', true],
  ['192.168.1.1', true],
  ['100.100.0.1', true],
  ['0.0.0.0', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['fd00::1', true],
  ['fe80::1', true],
  ['8.8.8.8', false],
  ['140.82.112.3', false],
  ['2606:4700::1', false],
])('%s is inside: %s', (address, expected) => {
  expect(isInside(address)).toBe(expected)
})

test.each(['http://127.0.0.1:1/', 'http://localhost:1/', 'http://[::1]:1/', 'http://0x7f.1/', 'http://2130706433/'])(
  '%s is refused',
  async (url) => {
    await expect(outboundFor(false)(url)).rejects.toThrow(/may not be reached/)
  },
)

test('other schemes are refused', async () => {
  await expect(outboundFor(true)('file:///etc/passwd')).rejects.toThrow(/not supported/)
})
