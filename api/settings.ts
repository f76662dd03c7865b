// A cluster's settings where nobody says otherwise.
import type { Settings } from './registry/context.ts'

export const defaultSettings: Settings = {
  serviceCidr: '10.96.0.0/16',
  podCidr: '10.244.0.0/16',
  nodePorts: [30000, 32767],
  clusterDomain: 'cluster.local',
  clusterDns: '10.96.0.10',
  issuer: 'https://kubernetes.default.svc',
  anonymous: true,
  maxWatches: 20_000,
  admissionPlugins: [],
}
