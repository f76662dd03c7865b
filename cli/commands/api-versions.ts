// kedge api-versions.
import { kubeCommand, out } from '../kube/command.ts'

export const run = kubeCommand(
  { name: 'api-versions', usage: '', about: 'Print the supported API versions on the server, in the form of "group/version".' },
  async (k) => {
    const [core, groups] = await Promise.all([k.client.get('/api'), k.client.get('/apis')])
    const all = [...core.versions, ...groups.groups.flatMap((g: any) => g.versions.map((v: any) => v.groupVersion))]
    for (const v of all.sort()) out(`${v}\n`)
    return 0
  },
)
