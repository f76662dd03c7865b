// What a daemon shows the control plane, whatever its clock says.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { decodeJwt, exportPKCS8, generateKeyPair } from 'jose'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { quietLog } from '../log.ts'
import { type Identity, openIdentity } from './identity.ts'

const HOUR = 3600_000
const NOON = Date.parse('2026-03-01T12:00:00Z')
let data: string
let identity: Identity
beforeEach(async () => {
  data = mkdtempSync(path.join(tmpdir(), 'kedge-identity-'))
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const saved = { node: 'n', server: 'https://control.test', ca: '', key: await exportPKCS8(privateKey), podCidr: '', serviceCidr: '' }
  writeFileSync(path.join(data, 'identity.json'), JSON.stringify(saved))
  identity = await openIdentity({ data, name: 'n', log: quietLog })
  vi.useFakeTimers({ now: NOON })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(data, { recursive: true })
})

const times = async () => {
  const { iat, exp } = decodeJwt(await identity.assertion())
  return [iat! * 1000 - NOON, exp! * 1000 - NOON]
}
const dateOf = (at: number) => new Date(at).toUTCString()

test('an assertion serves until it nears its end, by time that passes and not by the clock', async () => {
  const first = await identity.assertion()
  vi.setSystemTime(NOON - 5 * HOUR)
  vi.advanceTimersByTime(260_000)
  expect(await identity.assertion()).toBe(first)
  vi.advanceTimersByTime(20_000)
  expect(await identity.assertion()).not.toBe(first)
})

test('a clock that is off is made up for by what the server says', async () => {
  vi.setSystemTime(NOON + HOUR)
  expect(await times()).toEqual([HOUR, HOUR + 300_000])
  identity.doubted(dateOf(NOON))
  expect(await times()).toEqual([0, 300_000])
  // It is put right: now what was learned is wrong, until the server says so.
  vi.setSystemTime(NOON)
  identity.doubted(dateOf(NOON))
  expect(await times()).toEqual([0, 300_000])
})

test('a server that tells no time leaves what was known', async () => {
  vi.setSystemTime(NOON + HOUR)
  identity.doubted(dateOf(NOON))
  identity.doubted(undefined)
  expect(await times()).toEqual([0, 300_000])
})
