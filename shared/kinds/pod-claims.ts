// Which claims a pod's volumes stand for.

/** The claim behind a volume of a pod of this name: one that it mounts, or that of an ephemeral volume, which has the pod's name before its own. */
export const claimOf = (pod: string, volume: any): string | undefined =>
  volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${pod}-${volume.name}` : undefined)

export const claimsOf = (pod: string, spec: any): string[] => (spec?.volumes ?? []).flatMap((v: any) => claimOf(pod, v) ?? [])
