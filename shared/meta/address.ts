// IPv4 addresses with a meaning of their own in a cluster.

/** The first address of the service range: the `kubernetes` service. */
export const apiServiceIp = (serviceCidr: string): string =>
  serviceCidr.split('/')[0]!.replace(/\.\d+$/, (last) => `.${Number(last.slice(1)) + 1}`)
