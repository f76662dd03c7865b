// The version that clients see: Kubernetes' compatibility level and our own build.
const KUBERNETES_MINOR = 36
export const KEDGE_VERSION = '0.1.0'
export const gitVersion = `v1.${KUBERNETES_MINOR}.0+kedge.${KEDGE_VERSION}`

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
