// Who has a tunnel to whom, and what goes through it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { wireguardOf, wireguardText } from '../../shared/session/wireguard.ts'
import { between, configuration, tunnels, type WireGuardNode, wireguardKeys } from './wireguard.ts'

const keyOf = (name: string) => `${name.padEnd(43, 'x')}=`
const node = (name: string, endpoint?: string, ready = true): WireGuardNode => ({
  name,
  podCidrs: [`10.244.${name.charCodeAt(0) - 96}.0/24`],
  key: keyOf(name),
  ready,
  ...(endpoint ? { endpoint } : {}),
})
const shown = (self: WireGuardNode, all: WireGuardNode[]) => {
  const { tunnels: list, unreached } = tunnels(self, all)
  return [...list.map((t) => `${t.key[0]} ${t.ranges.map((r) => r.split('.')[2])}`), ...unreached.map((r) => `nobody ${r.split('.')[2]}`)]
}

test.each<[string, WireGuardNode[], string, string[]]>([
  ['two that are reached', [node('a', 'a:1'), node('b', 'b:1')], 'a', ['b 2']],
  ['one that is not dials the other', [node('a', 'a:1'), node('b')], 'b', ['a 1']],
  ['and the other waits for it', [node('a', 'a:1'), node('b')], 'a', ['b 2']],
  ['two that are not have a third between them', [node('a', 'a:1'), node('b'), node('c')], 'b', ['a 1,3']],
  ['who stands between reaches both by themselves', [node('a', 'a:1'), node('b'), node('c')], 'a', ['b 2', 'c 3']],
  ['a third that is not Ready is none', [node('a', 'a:1', false), node('b'), node('c')], 'b', ['a 1', 'nobody 3']],
  ['nobody is reached', [node('b'), node('c')], 'b', ['nobody 3']],
])('%s', (_, all, name, want) => {
  expect(shown(all.find((n) => n.name === name)!, all)).toEqual(want)
})

test('both ends agree on who stands between them, each range is in one tunnel, and who stands between leads on to both', () => {
  const nodes = fc
    .uniqueArray(fc.integer({ min: 0, max: 20 }), { maxLength: 12 })
    .chain((numbers) =>
      fc
        .tuple(...numbers.map((n) => fc.tuple(fc.constant(String.fromCharCode(97 + n)), fc.boolean(), fc.boolean())))
        .map((list) => list.map(([name, reached, ready]) => node(name, reached ? `${name}:1` : undefined, ready))),
    )
  fc.assert(
    fc.property(nodes, (all) => {
      const byKey = new Map(all.map((n) => [n.key, n]))
      for (const a of all) {
        const { tunnels: list, unreached } = tunnels(a, all)
        const ranges = [...list.flatMap((t) => t.ranges), ...unreached]
        expect(ranges.toSorted()).toEqual(
          all
            .filter((n) => n !== a)
            .flatMap((n) => n.podCidrs)
            .toSorted(),
        )
        for (const t of list)
          for (const range of t.ranges) {
            const [first, target] = [byKey.get(t.key)!, all.find((n) => n.podCidrs.includes(range))!]
            if (first === target) continue
            expect(
              between(
                target.name,
                a.name,
                all.filter((n) => n !== target),
              ),
            ).toBe(first)
            expect(tunnels(first, all).tunnels.find((x) => x.key === target.key)!.ranges).toContain(range)
          }
      }
    }),
  )
})

test('a configuration', () => {
  const { tunnels: list } = tunnels(node('b'), [node('a', 'a.test:51820'), node('b'), node('c')])
  expect(configuration('secret', 51820, true, list)).toBe(
    `[Interface]\nPrivateKey = secret\nListenPort = 51820\n[Peer]\nPublicKey = ${keyOf('a')}\nAllowedIPs = 10.244.1.0/24, 10.244.3.0/24\nEndpoint = a.test:51820\nPersistentKeepalive = 25\n`,
  )
})

test('keys stay', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'kedge-wg-'))
  try {
    const first = wireguardKeys(path.join(folder, 'key'))
    expect(wireguardKeys(path.join(folder, 'key'))).toEqual(first)
    expect([first.privateKey, first.publicKey].every((k) => /^[A-Za-z0-9+/]{43}=$/.test(k))).toBe(true)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

const KEY = keyOf('k')
test.each<[string, string | undefined, boolean, string | undefined]>([
  ['a key', KEY, true, KEY],
  ['a key and where it is reached', `${KEY} 192.0.2.1:51820`, false, `${KEY} 192.0.2.1:51820`],
  ['and it can stand between others', `${KEY} [2001:db8::1]:1`, true, `${KEY} [2001:db8::1]:1 ready`],
  ['nothing', undefined, true, undefined],
  ['no key', 'x', true, undefined],
  ['a line that would be another setting', `${KEY} a:1\nPostUp`, true, undefined],
  ['no port', `${KEY} a:99999`, true, undefined],
  ['more than that', `${KEY} a:1 ready`, true, undefined],
])('what a node says: %s', (_, annotation, ready, want) => {
  expect(wireguardText(annotation, ready)).toBe(want)
  expect(wireguardOf(want)?.ready ?? false).toBe(want?.endsWith(' ready') ?? false)
})
