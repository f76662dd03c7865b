// Which of Kubernetes' admission plugins are off unless they are asked for.
export const optionalAdmission: readonly string[] = ['OwnerReferencesPermissionEnforcement', 'PodNodeSelector', 'PodTolerationRestriction']
