// kedge edit: the object in an editor, until it is accepted or left as it is.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseYaml } from '../../shared/manifests/yaml.ts'
import { json } from '../../shared/print/json.ts'
import { err, Failure, kubeCommand, messageOf, out } from '../kube/command.ts'
import { equal } from '../kube/last-applied.ts'
import { fileFlags, remotes } from '../kube/objects.ts'
import { printFlags } from '../kube/printers.ts'
import { pathOf, qualified } from '../kube/resources.ts'
import { validateFlag, writeQuery } from '../kube/write.ts'
import { yaml } from '../print/yaml.ts'

const HEAD = `# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
`
const MAX_TRIES = 10

/** What the editor leaves of a text. */
function inEditor(text: string, suffix: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'kedge-edit-'))
  const file = path.join(folder, `edit${suffix}`)
  try {
    writeFileSync(file, text, { mode: 0o600 })
    const editor = process.env.KUBE_EDITOR || process.env.EDITOR || 'vi'
    const r = spawnSync('sh', ['-c', `${editor} "$0"`, file], { stdio: 'inherit' })
    if (r.status !== 0) throw new Failure(`there was a problem with the editor ${JSON.stringify(editor)}`)
    return readFileSync(file, 'utf8')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const withoutHead = (text: string) => text.replace(/^(#.*\n)+/, '')

/** A manifest as somebody changed it. Throws when it was left empty. */
export async function edited(object: any): Promise<any> {
  const text = withoutHead(inEditor(HEAD + yaml(object), '.yaml'))
  if (!text.trim()) throw new Failure('Edit cancelled, saved file was empty')
  return parseYaml(text)
}

export const run = kubeCommand(
  {
    name: 'edit',
    usage: '(RESOURCE/NAME | -f FILENAME) [options]',
    about: 'Edit a resource from the default editor.',
    flags: {
      ...fileFlags,
      ...printFlags,
      ...validateFlag,
      'field-manager': { type: 'string', about: 'Name of the manager used to track field ownership.' },
      'output-patch': { type: 'bool', about: 'Output the patch if the resource is edited.' },
      'save-config': { type: 'bool', about: 'If true, the configuration of current object will be saved in its annotation.' },
      subresource: { type: 'string', about: 'If specified, edit will operate on the subresource of the requested object.' },
      'windows-line-endings': { type: 'bool', about: 'Defaults to the line ending native to your platform.' },
    },
  },
  async (k) => {
    const asJson = k.f.output === 'json'
    for (const { resource, object } of await remotes(k)) {
      const { managedFields: _, ...metadata } = object.metadata
      const shown = { ...object, metadata }
      const at = pathOf(resource, object.metadata.namespace, object.metadata.name, k.f.subresource || undefined)
      let text = (asJson ? json : yaml)(shown)
      let fault = ''
      for (let tries = 1; ; tries++) {
        const after = withoutHead(
          inEditor(HEAD + (fault ? `# ${fault.replaceAll('\n', '\n# ')}\n#\n` : '') + text, asJson ? '.json' : '.yaml'),
        )
        if (!after.trim()) {
          err('Edit cancelled, saved file was empty\n')
          break
        }
        try {
          const wanted: any = parseYaml(after)
          if (equal(wanted, shown) || (fault && after === text)) {
            err('Edit cancelled, no changes made.\n')
            if (fault) throw new Failure('Edit cancelled, no valid changes were saved.')
            break
          }
          await k.client.json(at + writeQuery(k, { fieldManager: k.f['field-manager'] || 'kubectl-edit' }), { method: 'PUT', body: wanted })
          out(`${qualified(resource)}/${object.metadata.name} edited\n`)
          break
        } catch (cause) {
          if (cause instanceof Failure || tries >= MAX_TRIES) throw cause
          fault = messageOf(cause)
          text = after
          err(`${fault}\n`)
        }
      }
    }
    return 0
  },
)
