// `npm run bench:node`: what the node side takes, beside Docker and dnsmasq in the same run. What is named is measured alone: pods, rest, services, names.
import { measureDns } from './dns.ts'
import { measurePods } from './pods.ts'
import { measureRest } from './rest.ts'
import { measureServices } from './services.ts'

const parts = { pods: measurePods, rest: measureRest, services: measureServices, names: measureDns }
const chosen = process.argv.slice(2)
for (const [what, measure] of Object.entries(parts)) {
  if (chosen.length && !chosen.includes(what)) continue
  // What was measured is not lost when a later part fails.
  const found = await measure().catch((cause: Error) => cause.message)
  if (typeof found === 'string') console.log(`${what}: not measured: ${found}`)
  else for (const [name, value] of Object.entries(found)) console.log(name.padEnd(48), value >= 100 ? Math.round(value) : value.toFixed(2))
}
