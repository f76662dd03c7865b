// Why a claim has no volume, and why volumes stay.

import type { KObject } from '../meta/object.ts'
import { unitsOf } from '../meta/quantity.ts'
import { ago, type Finding, named, sentence, type World } from './world.ts'

const isDefault = (c: KObject): boolean => c.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true'
const usersOf = (claim: KObject, world: World): KObject[] =>
  world
    .list('pods', claim.metadata.namespace)
    .filter((p) => (p.spec.volumes ?? []).some((v: any) => v.persistentVolumeClaim?.claimName === claim.metadata.name))

/** Undefined where nothing holds it back. */
export function claimFinding(claim: KObject, world: World): Finding | undefined {
  const about = named('persistentvolumeclaim', claim)
  const found = (why: string, todo: string): Finding => ({ about, why, todo })
  const users = usersOf(claim, world)
  if (claim.metadata.deletionTimestamp)
    return users.length
      ? found(
          `It is being deleted, and stays as long as ${users.map((p) => p.metadata.name).join(', ')} use${users.length === 1 ? 's' : ''} it.`,
          'Delete these pods; it goes with the last of them.',
        )
      : found(
          `It is being deleted and waits for ${(claim.metadata.finalizers ?? []).join(', ') || 'the server'}.`,
          'See that whoever put that finalizer there runs.',
        )
  const phase = claim.status?.phase
  if (phase === 'Lost')
    return found(
      `The volume ${claim.spec.volumeName} that it was bound to is gone.`,
      'Restore that volume, or make the claim anew; what was on it is lost with it.',
    )
  if (phase === 'Bound') {
    const wish = unitsOf(claim.spec.resources?.requests?.storage)
    const has = unitsOf(claim.status?.capacity?.storage)
    if (has && wish > has)
      return found(
        `It has ${claim.status.capacity.storage} and asks for ${claim.spec.resources.requests.storage}: it is still being made larger.`,
        users.length ? 'Wait; some drivers grow a volume when its pod starts anew.' : 'A pod has to use it for its file system to grow.',
      )
    return undefined
  }
  const name: string | undefined = claim.spec.storageClassName
  if (name === undefined && world.knows('storageclasses.storage.k8s.io') && !world.list('storageclasses.storage.k8s.io').some(isDefault))
    return found(
      'It names no storage class, and the cluster has no default.',
      'Set storageClassName, or mark a class as the default (storageclass.kubernetes.io/is-default-class: "true").',
    )
  const storage = name ? world.get('storageclasses.storage.k8s.io', name) : undefined
  if (name && world.lacks('storageclasses.storage.k8s.io', name)) {
    const all = world.list('storageclasses.storage.k8s.io').map((c) => c.metadata.name)
    return found(
      `There is no storage class ${name}.`,
      all.length ? `Name one that there is: ${all.join(', ')}.` : `Create the StorageClass ${name}.`,
    )
  }
  const [failed] = world.events(claim, 'ProvisioningFailed')
  if (failed)
    return found(
      `Its volume could not be made: ${sentence(failed.message)}.`,
      `See the provisioner of the class ${name ?? ''}; it tries again.`,
    )
  if (storage?.volumeBindingMode === 'WaitForFirstConsumer' && !users.length)
    return found(
      'Its class waits for the first pod that uses it, so that the volume is made where that runs.',
      'Create a pod that uses it.',
    )
  if (storage?.volumeBindingMode === 'WaitForFirstConsumer')
    return found(
      `Its volume is made where ${users[0]!.metadata.name} will run, which has no node yet.`,
      `See kedge why pod/${users[0]!.metadata.name}.`,
    )
  if (claim.spec.volumeName) {
    const volume = world.get('persistentvolumes', claim.spec.volumeName)
    if (world.lacks('persistentvolumes', claim.spec.volumeName))
      return found(
        `It asks for the volume ${claim.spec.volumeName}, which is not there.`,
        `Create that PersistentVolume, or take volumeName out of the claim.`,
      )
    if (volume?.spec.claimRef && volume.spec.claimRef.name !== claim.metadata.name)
      return found(
        `The volume ${claim.spec.volumeName} that it asks for is bound to ${volume.spec.claimRef.namespace}/${volume.spec.claimRef.name}.`,
        'Name another volume.',
      )
  }
  if (!storage?.provisioner || storage.provisioner === 'kubernetes.io/no-provisioner') {
    const wish = unitsOf(claim.spec.resources?.requests?.storage)
    const free = world
      .list('persistentvolumes')
      .filter((v) => v.status?.phase === 'Available' && (v.spec.storageClassName ?? '') === (name ?? ''))
    const small = free.length > 0 && free.every((v) => unitsOf(v.spec.capacity?.storage) < wish)
    return found(
      small
        ? `No free volume of ${name ? `the class ${name}` : 'no class'} is as large as the ${claim.spec.resources?.requests?.storage} that it asks for.`
        : `No free volume fits it, and nothing makes one for ${name ? `the class ${name}` : 'claims without a class'}.`,
      'Create a PersistentVolume that fits, or use a class whose volumes are made when they are asked for.',
    )
  }
  return found(
    `It has waited ${ago(world, claim.metadata.creationTimestamp)} for ${storage.provisioner} to make its volume.`,
    `See that ${storage.provisioner} runs.`,
  )
}

export function volumeFinding(volume: KObject): Finding | undefined {
  const about = named('persistentvolume', volume)
  const phase = volume.status?.phase
  const { claimRef } = volume.spec
  if (volume.metadata.deletionTimestamp)
    return {
      about,
      why: `It is being deleted and waits for ${(volume.metadata.finalizers ?? []).join(', ')}.`,
      todo: 'Delete the claim that it is bound to, or wait for its driver.',
    }
  if (phase === 'Released')
    return {
      about,
      why: `Its claim ${claimRef?.namespace}/${claimRef?.name} is gone, and its reclaim policy keeps what is on it.`,
      todo: 'Save what you need; take spec.claimRef out to have it bound again, or delete it.',
    }
  if (phase === 'Failed')
    return { about, why: `It could not be cleared: ${sentence(volume.status?.message)}.`, todo: 'Clear it by hand, and delete it.' }
  return undefined
}
