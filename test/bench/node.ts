// `npm run bench:node`: what the node side takes, beside Docker and dnsmasq in the same run.
import { measureDns } from './dns.ts'
import { measurePods } from './pods.ts'
import { measureRest } from './rest.ts'
import { measureServices } from './services.ts'

const figures: Record<string, number> = {}
for (const [what, measure] of [
  ['pods', measurePods],
  ['a daemon at rest', measureRest],
  ['services', measureServices],
  ['names', measureDns],
] as const) {
  const found = await measure()
  if (typeof found === 'string') console.log(`${what}: not measured: ${found}`)
  else Object.assign(figures, found)
}
for (const [name, value] of Object.entries(figures)) console.log(name.padEnd(40), value >= 100 ? Math.round(value) : value.toFixed(2))
