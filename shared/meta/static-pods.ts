// Pods that a node runs by itself, and how the API shows them: a mirror of each, that the node writes.

export const CONFIG_MIRROR = 'kubernetes.io/config.mirror'
export const CONFIG_HASH = 'kubernetes.io/config.hash'
export const CONFIG_SEEN = 'kubernetes.io/config.seen'
export const CONFIG_SOURCE = 'kubernetes.io/config.source'

type Annotated = { metadata: { annotations?: Record<string, string> } }

export const isMirror = (pod: Annotated): boolean => pod.metadata.annotations?.[CONFIG_MIRROR] !== undefined
/** Whether the machine itself runs it: as a pod here, or by its mirror. */
export const isStatic = (pod: Annotated): boolean => {
  const source = pod.metadata.annotations?.[CONFIG_SOURCE]
  return source !== undefined && source !== 'api'
}
