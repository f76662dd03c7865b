// kedge label.
import { labelKeyed } from '../kube/keyed.ts'

export const run = labelKeyed('label', 'labels')
