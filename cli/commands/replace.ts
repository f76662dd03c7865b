// kedge replace: the object as the file has it; with --force deleted and made anew.
import { err, Failure, Failures, kubeCommand, out } from '../kube/command.ts'
import { annotated, LAST_APPLIED } from '../kube/last-applied.ts'
import { fileFlags, locals, namespaceFor } from '../kube/objects.ts'
import { printFlags } from '../kube/printers.ts'
import { pathOf, qualified } from '../kube/resources.ts'
import { dryRunOf, Teller, validateFlag, writeFlags, writeQuery } from '../kube/write.ts'
import { gone } from './delete.ts'

export const run = kubeCommand(
  {
    name: 'replace',
    usage: '-f FILENAME [options]',
    about: 'Replace a resource by file name or stdin.',
    flags: {
      ...fileFlags,
      ...printFlags,
      ...writeFlags,
      ...validateFlag,
      cascade: { type: 'string', default: 'background', alone: 'background', about: 'Must be "background", "orphan", or "foreground".' },
      force: { type: 'bool', about: 'If true, immediately remove resources from API and bypass graceful deletion.' },
      'grace-period': { type: 'int', default: -1, about: 'Period of time in seconds given to the resource to terminate gracefully.' },
      raw: { type: 'string', about: 'Raw URI to PUT to the server.' },
      'save-config': { type: 'bool', about: 'If true, the configuration of current object will be saved in its annotation.' },
      subresource: { type: 'string', about: 'If specified, replace will operate on the subresource of the requested object.' },
      timeout: { type: 'duration', default: '0s', about: 'The length of time to wait before giving up on a delete.' },
      wait: { type: 'bool', about: 'If true, wait for resources to be gone before returning.' },
    },
  },
  async (k) => {
    const { f } = k
    if (!f.filename.length && !f.kustomize)
      throw new Failure(
        'must specify --filename to replace'.replace('must specify --filename to replace', 'Must specify --filename to replace'),
      )
    const teller = new Teller(k)
    const faults: unknown[] = []
    for (const { object, source } of await locals(f))
      try {
        const resource = await k.resources.ofKind(object.apiVersion, object.kind)
        const namespace = namespaceFor(k, resource, object)
        const at = pathOf(resource, namespace, object.metadata.name)
        const whole = namespace ? { ...object, metadata: { ...object.metadata, namespace } } : object
        const body = f['save-config'] || whole.metadata.annotations?.[LAST_APPLIED] ? annotated(whole) : whole
        if (f.raw) {
          out(`${await k.client.text(f.raw, { method: 'PUT', body })}\n`)
          continue
        }
        if (f.force) {
          if (f['grace-period'] === 0)
            err(
              'Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.\n',
            )
          const live = await k.client.get(at).catch((cause) => {
            if (cause.code !== 404) throw cause
            return undefined
          })
          if (live) {
            await k.client.delete(at, {
              propagationPolicy: 'Background',
              ...(f['grace-period'] >= 0 ? { gracePeriodSeconds: f['grace-period'] } : {}),
            })
            out(`${qualified(resource)} ${JSON.stringify(object.metadata.name)} deleted\n`)
            await gone(k, { resource, namespace, name: object.metadata.name, uid: live.metadata.uid }, f.timeout)
          }
          teller.tell(resource, await k.client.json(pathOf(resource, namespace) + writeQuery(k), { method: 'POST', body }), 'replaced')
          continue
        }
        const live = await k.client.get(at)
        const done =
          dryRunOf(k) === 'client'
            ? body
            : await k.client.json((f.subresource ? `${at}/${f.subresource}` : at) + writeQuery(k), {
                method: 'PUT',
                body: {
                  ...body,
                  metadata: { ...body.metadata, resourceVersion: body.metadata.resourceVersion ?? live.metadata.resourceVersion },
                },
              })
        teller.tell(resource, done, 'replaced')
      } catch (cause) {
        const e = cause as { status?: any }
        if (e.status?.reason === 'NotFound' || e.status?.reason === 'Conflict')
          e.status = { ...e.status, message: `error when replacing ${JSON.stringify(source)}: ${e.status.message}` }
        faults.push(cause)
      }
    if (faults.length) throw new Failures(faults)
    return 0
  },
)
