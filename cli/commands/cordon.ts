// kedge cordon.
import { cordon } from '../kube/nodes.ts'

export const run = cordon('cordon')
