// StorageObjectInUseProtection: claims and volumes carry a finalizer that goes when nobody uses them any more (controllers/storage-protection.ts).
import { storageProtection } from '../../shared/kinds/claim.ts'
import type { Step } from './index.ts'

export const inUseProtection: Step = {
  name: 'StorageObjectInUseProtection',
  create: ({ kind, object: { metadata } }) => {
    const finalizer = kind.group === '' ? storageProtection[kind.kind] : undefined
    if (finalizer && !metadata.finalizers?.includes(finalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), finalizer]
    return undefined
  },
}
