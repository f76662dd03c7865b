// A node: the machine, what it has and has given away, and its pods.
import { Facts } from '../parts/facts.tsx'
import { bytesOf, bytesText, coresOf, Usage } from '../parts/usage.tsx'
import { PodsTable } from './pods-table.tsx'

export function NodePanel({ object: o }: { object: any }) {
  const { capacity = {}, allocatable = {}, nodeInfo = {}, addresses = [] } = o.status ?? {}
  return (
    <>
      <Facts
        facts={[
          ['Takes new pods', o.spec?.unschedulable ? 'no: it is cordoned' : 'yes'],
          ['Taints', (o.spec?.taints ?? []).map((t: any) => `${t.key}${t.value ? `=${t.value}` : ''}:${t.effect}`).join(', ')],
          ['Addresses', addresses.map((a: any) => `${a.address} (${a.type})`).join(', ')],
          ['Pods get', o.spec?.podCIDRs?.join(', ') ?? o.spec?.podCIDR],
          ['Processors', capacity.cpu && `${capacity.cpu}, of which pods may use ${allocatable.cpu}`],
          [
            'Memory',
            capacity.memory && `${bytesText(bytesOf(capacity.memory))}, of which pods may use ${bytesText(bytesOf(allocatable.memory))}`,
          ],
          ['Pods at most', allocatable.pods],
          ['System', [nodeInfo.osImage, nodeInfo.kernelVersion, nodeInfo.architecture].filter(Boolean).join(', ')],
          ['Runtime', nodeInfo.containerRuntimeVersion],
          ['Daemon', nodeInfo.kubeletVersion],
        ]}
      />
      <Usage resource="nodes" name={o.metadata.name} cores={coresOf(capacity.cpu)} bytes={bytesOf(capacity.memory)} />
      <PodsTable title="Pods" namespace="" fieldSelector={`spec.nodeName=${o.metadata.name}`} />
    </>
  )
}
