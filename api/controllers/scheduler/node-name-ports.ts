// NodeName and NodePorts: the node that was asked for by name, and free host ports.
import { type FilterPlugin, hostPorts } from './types.ts'

export const nodeName: FilterPlugin = {
  name: 'NodeName',
  local: true,
  concerns: (pod) => !!pod.spec.nodeName,
  filter: (pod, { node }) =>
    pod.spec.nodeName && pod.spec.nodeName !== node.metadata.name
      ? { reasons: ["node(s) didn't match the requested node name"], unresolvable: true }
      : undefined,
}

export const nodePorts: FilterPlugin = {
  name: 'NodePorts',
  local: true,
  concerns: (pod) => hostPorts(pod).length > 0,
  filter: (pod, { ports }) => {
    const taken = hostPorts(pod).some((wanted) => {
      const [protocol, ip, port] = wanted.split('/')
      for (const p of ports) {
        const [q, at, n] = p.split('/')
        if (q === protocol && n === port && (at === ip || at === '0.0.0.0' || ip === '0.0.0.0')) return true
      }
      return false
    })
    return taken ? { reasons: ["node(s) didn't have free ports for the requested pod ports"] } : undefined
  },
}
