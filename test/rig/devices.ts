// Block devices for pods: files of a host, by way of loop devices.
import type { Host } from './hosts.ts'

/** Makes one of 16 MiB; whoever asks for it takes it away (`losetup -d`). */
export function loopDevice(host: Host, name: string): string {
  const file = `${host.folder}/${name}.img`
  return host.run(`truncate -s 16M ${file} && losetup --find --show ${file}`).trim()
}

/** A pod that sleeps, and has a claim's device as `/dev/raw`. */
export const podWithDevice = (name: string, claimName: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      { name: 'c', image: 'test/busybox:1', command: ['sleep', '3600'], volumeDevices: [{ name: 'v', devicePath: '/dev/raw' }] },
    ],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }],
  },
})
