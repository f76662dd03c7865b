// The version that the daemon reports as its kubelet's.
export const KEDGE_NODE_VERSION = 'v1.36.0+kedge.0.1.0'
