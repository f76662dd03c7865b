// What daemon, controller and CLI say to each other on a Node about the daemon's version.

/** The version that the node should run. */
export const DESIRED = 'kedge.dev/desired-version'
/** `true`: the daemon can replace itself. */
export const MANAGED = 'kedge.dev/managed'
/** `VERSION: why` of the last upgrade that failed. */
export const FAILED = 'kedge.dev/upgrade-failed'

/** The ConfigMap whose `version` all managed nodes are brought to, one at a time. */
export const ROUND = { namespace: 'kube-system', name: 'kedge-nodes' }
