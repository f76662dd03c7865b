// `npm run bench:node`: what the node side takes, beside Docker and dnsmasq in the same run.
import { measureDns } from './dns.ts'
import { measurePods } from './pods.ts'
import { measureServices } from './services.ts'

const pods = await measurePods()
if (typeof pods === 'string') console.log(`pods are not measured: ${pods}`)
const services = await measureServices()
if (typeof services === 'string') console.log(`services are not measured: ${services}`)
const figures: Record<string, number> = {
  ...(typeof pods === 'string' ? {} : pods),
  ...(typeof services === 'string' ? {} : services),
  ...(await measureDns()),
}
for (const [name, value] of Object.entries(figures)) console.log(name.padEnd(40), value >= 100 ? Math.round(value) : value.toFixed(2))
