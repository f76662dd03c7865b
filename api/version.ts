// What /version answers.
import { gitVersion, KUBERNETES_MINOR } from '../shared/version.ts'

export const versionInfo = {
  major: '1',
  minor: String(KUBERNETES_MINOR),
  emulationMajor: '1',
  emulationMinor: String(KUBERNETES_MINOR),
  minCompatibilityMajor: '1',
  minCompatibilityMinor: String(KUBERNETES_MINOR - 1),
  gitVersion,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'typescript',
  platform: 'linux/amd64',
}
