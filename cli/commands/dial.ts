// kedge dial: what the node daemon starts inside a pod's network. Nothing for people.
import { serveDials } from '../../node-agent/network/dial.ts'

export async function run(): Promise<number> {
  if (!process.send) throw new Error('the node daemon runs this; there is nothing to do by hand')
  await serveDials()
  return 0
}
