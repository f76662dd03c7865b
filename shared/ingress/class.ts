// Which ingresses the nodes of this cluster serve: those of a class whose controller is ours.

/** `spec.controller` of our IngressClasses. */
export const CONTROLLER = 'kedge.dev/ingress'
/** The class that there is without anybody making one. */
export const CLASS = 'kedge'
/** How a class was named before there were IngressClasses. */
const OLDER = 'kubernetes.io/ingress.class'

export const isOurClass = (ingressClass: any): boolean => ingressClass?.spec?.controller === CONTROLLER

/** The class that an ingress names. */
const classNameOf = (ingress: any): string | undefined => ingress.spec?.ingressClassName ?? ingress.metadata.annotations?.[OLDER]

/** Whether it is one for us, by the class that it names. */
export function isServed(ingress: any, classOf: (name: string) => any): boolean {
  const name = classNameOf(ingress)
  return name !== undefined && isOurClass(classOf(name))
}

/** The Secrets with its certificates. */
export const tlsSecrets = (ingress: any): string[] => [
  ...new Set<string>((ingress.spec?.tls ?? []).flatMap((t: any) => (t.secretName ? [t.secretName] : []))),
]
