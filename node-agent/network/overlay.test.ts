// How other nodes' pods are reached: what the host's tools say, and the entries that follow from it.
import { expect, test } from 'vitest'
import { baseOf, entryCommands, forwardingOf, macOf, neighboursOf, type Peer } from './overlay.ts'
import { waysOf } from './ways.ts'

const one: Peer = { podCidrs: ['10.244.1.0/24'], address: '10.89.0.11' }
const two: Peer = { podCidrs: ['10.244.2.0/24'], address: '10.89.0.12' }
const fdb = (p: Peer) => `${macOf(p.podCidrs)} dst ${p.address} self permanent\n`
const neigh = (p: Peer) => `${baseOf(p.podCidrs[0]!)} lladdr ${macOf(p.podCidrs)} PERMANENT \n`

test('neighbours, machines behind a router, this machine itself; of what cannot be reached there is nothing', () => {
  const text = `10.88.0.12 dev eth0 src 10.88.0.11 uid 0 
    cache 
10.89.0.13 via 10.88.0.254 dev eth0 src 10.88.0.11 uid 0 
    cache 
fd00:88::12 from :: dev eth0 proto kernel src fd00:88::11 metric 256 pref medium
fd00:89::13 from :: via fd00:88::fe dev eth0 src fd00:88::11 metric 1024 pref medium
local 10.88.0.11 dev lo src 10.88.0.11 uid 0 
    cache <local> 
`
  expect(Object.fromEntries(waysOf(text))).toEqual({
    '10.88.0.12': { device: 'eth0', routed: false, from: '10.88.0.11' },
    '10.89.0.13': { device: 'eth0', routed: true, from: '10.88.0.11' },
    'fd00:88::12': { device: 'eth0', routed: false, from: 'fd00:88::11' },
    'fd00:89::13': { device: 'eth0', routed: true, from: 'fd00:88::11' },
    '10.88.0.11': { device: 'lo', routed: false, from: '10.88.0.11' },
  })
})

test('addresses of the link: local, of one machine, and as many as there are ranges', () => {
  const ranges = Array.from({ length: 2000 }, (_, i) => `10.${240 + (i >> 8)}.${i & 255}.0/24`)
  const macs = ranges.map((r) => macOf([r]))
  expect(new Set(macs).size).toBe(ranges.length)
  // Neither of many machines nor of a maker.
  for (const m of macs) expect(Number.parseInt(m.slice(0, 2), 16) & 3).toBe(2)
})

test.each<[string, Peer[], Peer[], string[], string[]]>([
  ['all there', [one, two], [one, two], [], []],
  [
    'one comes',
    [one],
    [one, two],
    [`neigh replace 10.244.2.0 lladdr ${macOf(two.podCidrs)} dev kedge.vxlan nud permanent`],
    [`fdb replace ${macOf(two.podCidrs)} dev kedge.vxlan dst 10.89.0.12 self permanent`],
  ],
  ['one goes', [one, two], [two], ['neigh del 10.244.1.0 dev kedge.vxlan'], [`fdb del ${macOf(one.podCidrs)} dev kedge.vxlan self`]],
  [
    'one has another address',
    [one],
    [{ ...one, address: '10.89.0.99' }],
    [],
    [`fdb replace ${macOf(one.podCidrs)} dev kedge.vxlan dst 10.89.0.99 self permanent`],
  ],
  [
    'one comes that has two ranges',
    [one],
    [one, { ...two, podCidrs: [...two.podCidrs, 'fd00:10:244:2::/64'] }],
    ['10.244.2.0', 'fd00:10:244:2::'].map((base) => `neigh replace ${base} lladdr ${macOf(two.podCidrs)} dev kedge.vxlan nud permanent`),
    [`fdb replace ${macOf(two.podCidrs)} dev kedge.vxlan dst 10.89.0.12 self permanent`],
  ],
])('%s', (_, before, wanted, ip, bridge) => {
  // Both tools also say what is of the kernel.
  const forwarding = forwardingOf(before.map(fdb).join(''))
  const neighbours = neighboursOf(
    `fe80::1 dev kedge.vxlan lladdr 0e:00:00:00:00:01 STALE\n224.0.0.22 dev kedge.vxlan lladdr 01:00:5e:00:00:16 NOARP \n${before.map(neigh).join('')}`,
  )
  neighbours.delete('224.0.0.22')
  expect(entryCommands(wanted, forwarding, neighbours)).toEqual({ ip, bridge })
})
