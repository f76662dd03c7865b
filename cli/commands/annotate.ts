// kedge annotate.
import { labelKeyed } from '../kube/keyed.ts'

export const run = labelKeyed('annotate', 'annotations')
