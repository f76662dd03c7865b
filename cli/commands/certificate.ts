// kedge certificate: approve and deny signing requests.
import { Failure, kubeCommand, kubeGroup } from '../kube/command.ts'
import { fileFlags, remotes } from '../kube/objects.ts'
import { printFlags } from '../kube/printers.ts'
import { pathOf } from '../kube/resources.ts'
import { Teller } from '../kube/write.ts'

const words = {
  approve: { type: 'Approved', reason: 'KubectlApprove', said: 'approved', about: 'Approve a certificate signing request.' },
  deny: { type: 'Denied', reason: 'KubectlDeny', said: 'denied', about: 'Deny a certificate signing request.' },
} as const

const deciding = (verb: keyof typeof words) => {
  const { type, reason, said, about } = words[verb]
  return kubeCommand(
    {
      name: `certificate ${verb}`,
      usage: '(-f FILENAME | NAME) [options]',
      about,
      flags: { ...fileFlags, ...printFlags, force: { type: 'bool', about: `Update the CSR even if it is already ${said}.` } },
    },
    async (k) => {
      if (!k.args.length && !k.f.filename?.length && !k.f.kustomize)
        throw new Failure('one or more CSRs must be specified as <name> or -f <filename>')
      if (k.args.length) k.args = ['certificatesigningrequests', ...k.args]
      const teller = new Teller(k)
      for (const { resource, object } of await remotes(k)) {
        const conditions: any[] = object.status?.conditions ?? []
        const other = verb === 'approve' ? words.deny.type : words.approve.type
        if (conditions.some((c) => c.type === other))
          throw new Failure(`certificate signing request ${JSON.stringify(object.metadata.name)} is already ${other}`)
        let decided = object
        if (k.f.force || !conditions.some((c) => c.type === type)) {
          const message = `This CSR was ${said} by kubectl certificate ${verb}.`
          const now = `${new Date().toISOString().slice(0, 19)}Z`
          const condition = { type, status: 'True', reason, message, lastUpdateTime: now }
          const next = { ...object, status: { ...object.status, conditions: [...conditions.filter((c) => c.type !== type), condition] } }
          decided = await k.client.put(`${pathOf(resource, undefined, object.metadata.name)}/approval`, next)
        }
        teller.tell(resource, decided, said)
      }
      return 0
    },
  )
}

export const run = kubeGroup('certificate', 'Modify certificate resources.', { approve: deciding('approve'), deny: deciding('deny') })
