// kedge uncordon.
import { cordon } from '../kube/nodes.ts'

export const run = cordon('uncordon')
