// The version that everything reports: Kubernetes' compatibility level and our own build.

/** Set when a single file is built; sources are of the version below. */
declare const KEDGE_BUILD_VERSION: string | undefined

export const KUBERNETES_MINOR = 36
export const KEDGE_VERSION: string = typeof KEDGE_BUILD_VERSION === 'string' ? KEDGE_BUILD_VERSION : '0.1.0'
export const gitVersion = `v1.${KUBERNETES_MINOR}.0+kedge.${KEDGE_VERSION}`

/** Our own version within a `gitVersion`; undefined in others'. */
export const kedgeVersionOf = (text: string | undefined): string | undefined => /\+kedge\.(.+)$/.exec(text ?? '')?.[1]
