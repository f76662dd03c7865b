// Waiting for a cluster of test hosts to stand; when it does not, what its parts had to say.
import type { ControlPlane } from './control-plane.ts'
import { eventually, type Host } from './hosts.ts'

/** Until no pod is on its way out: what follows may count containers. */
export async function podsSettled(cp: ControlPlane): Promise<void> {
  await eventually('no pod is being deleted', () =>
    JSON.parse(cp.k('get pods -A -o json')).items.every((p: any) => !p.metadata.deletionTimestamp),
  )
}

export async function nodesReady(cp: ControlPlane, hosts: Host[]): Promise<void> {
  await eventually('every node is Ready', () => cp.k('get nodes --no-headers').match(/ Ready /g)?.length === hosts.length, 60_000).catch(
    (cause) => {
      const logs = hosts.map((h) => `--- ${h.name}\n${h.log('node.log')}`).join('\n')
      throw new Error(`${cause.message}\n${cp.kubectl('get nodes -o yaml').out.slice(0, 4000)}\n--- control plane\n${cp.log()}\n${logs}`)
    },
  )
}
