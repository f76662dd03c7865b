// Cases of the recorded kube-apiserver 1.20 answers that are not the same here, each with its reason. Nothing else may differ.

const generation = 'Kubernetes 1.36 counts a pod’s generation; 1.20 did not'
const creation = 'Kubernetes 1.36 no longer writes creationTimestamp: null inside templates'
const columns = 'Kubernetes 1.36 shows more columns'

export const differences: Record<string, string> = {
  'requests above limits': 'Kubernetes 1.36 names the limit: "must be less than or equal to cpu limit of 1"',
  'service cluster ip is immutable': 'Kubernetes 1.36 takes an empty clusterIP in an update as "keep it"',
  'bad selectors': 'Kubernetes 1.36 lists the operators: "expected: in, notin, =, ==, !=, gt, lt"',
  'pod minimal': generation,
  'pod with all the usual fields': generation,
  'pod qos guaranteed': generation,
  'pod generateName': generation,
  deployment: creation,
  'deployment defaults': creation,
  replicaset: creation,
  replicationcontroller: creation,
  podtemplate: `${creation}, and counts a template’s generation`,
  statefulset: `${creation}, and counts available replicas`,
  daemonset: `${creation}, and has maxSurge`,
  job: `${creation}, labels a job’s pods with its own prefix, and has more defaults`,
  'strategic patch of one container by name': creation,
  'ingress without path type': 'Kubernetes 1.36 has no Ingress of the group extensions any more',
  'namespace lifecycle': 'recorded while an earlier run’s namespace was still there (409)',
  'cluster scoped kinds': 'recorded over leftovers of an earlier run (409)',
  'table of a job': columns,
  'table of a persistentvolumeclaim': columns,
}

/** The same on one run and not on the next. */
export const sometimes: Record<string, string> = {
  'generation moves with the spec alone': 'recorded without controllers: ours write the real status at once',
}
