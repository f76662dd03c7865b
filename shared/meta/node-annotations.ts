// What daemon, controller and CLI say to each other on a Node: about the daemon's version, and about the volumes that it keeps.

/** The version that the node should run. */
export const DESIRED = 'kedge.dev/desired-version'
/** `true`: the daemon can replace itself. */
export const MANAGED = 'kedge.dev/managed'
/** `VERSION: why` of the last upgrade that failed. */
export const FAILED = 'kedge.dev/upgrade-failed'

/** The ConfigMap whose `version` all managed nodes are brought to, one at a time. */
export const ROUND = { namespace: 'kube-system', name: 'kedge-nodes' }

/** `available` where a node could serve ingresses, `serving` where it does. */
export const INGRESS = 'kedge.dev/ingress'

/** Which of the node's resources are the machine's own to say, by their names. */
export const RESOURCES = 'kedge.dev/resources'

/** The folder of the node's local volumes, and how much it may hold in all, as a quantity. */
export const VOLUMES_FOLDER = 'kedge.dev/local-volumes'
export const VOLUMES_SIZE = 'kedge.dev/local-volumes-size'
/** On a PersistentVolume, as a label: the node that keeps it. */
export const KEPT_BY = 'kedge.dev/node'
/** A PersistentVolume stays until its node has taken its folder away. */
export const KEPT = 'kedge.dev/local-volume'
export const LOCAL_PROVISIONER = 'kedge.dev/local'
/** On PersistentVolumes: who made them. */
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by'
