// Seccomp and AppArmor profiles of a container, as options of Docker's. What a pod says holds for its containers unless they say otherwise.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { ConfigError } from '../plan/expand.ts'

/** Where profiles lie, as for kubelet. */
const SECCOMP_ROOT = '/var/lib/kubelet/seccomp'
const APPARMOR = '/sys/kernel/security/apparmor/profiles'

export interface ProfilePlaces {
  seccompRoot: string
  /** The kernel's list of AppArmor profiles; there is none where it does not have AppArmor. */
  apparmorProfiles: string
}

const places: ProfilePlaces = { seccompRoot: SECCOMP_ROOT, apparmorProfiles: APPARMOR }

/** Throws ConfigError for a profile that is not on this host. */
export function securityProfiles(pod: any, container: any, at: ProfilePlaces = places): string[] {
  const chosen = (field: string) => container.securityContext?.[field] ?? pod.spec.securityContext?.[field]
  // Nothing holds a privileged container back.
  if (container.securityContext?.privileged) return []
  return [...seccomp(chosen('seccompProfile'), at), ...apparmor(chosen('appArmorProfile'), at)]
}

function seccomp(profile: any, { seccompRoot }: ProfilePlaces): string[] {
  switch (profile?.type) {
    case 'Unconfined':
      return ['seccomp=unconfined']
    case 'Localhost': {
      const file = path.join(seccompRoot, profile.localhostProfile)
      const isInside = !path.relative(seccompRoot, file).startsWith('..')
      if (!isInside || !existsSync(file))
        throw new ConfigError(`cannot load seccomp profile ${JSON.stringify(file)}: open ${file}: no such file or directory`)
      return [`seccomp=${readFileSync(file, 'utf8')}`]
    }
    // Docker's own profile is the runtime's default.
    default:
      return []
  }
}

function apparmor(profile: any, { apparmorProfiles }: ProfilePlaces): string[] {
  const enabled = existsSync(apparmorProfiles)
  switch (profile?.type) {
    case 'Unconfined':
      return enabled ? ['apparmor=unconfined'] : []
    case 'Localhost': {
      const name: string = profile.localhostProfile
      if (!enabled) throw new ConfigError('Cannot enforce AppArmor: AppArmor is not enabled on the host')
      if (
        !readFileSync(apparmorProfiles, 'utf8')
          .split('\n')
          .some((l) => l.startsWith(`${name} (`))
      )
        throw new ConfigError(`Cannot enforce AppArmor: profile ${JSON.stringify(name)} is not loaded`)
      return [`apparmor=${name}`]
    }
    default:
      return []
  }
}
