// Protobuf field numbers of what kubelet and plugins on its machine say to each other: facts of container-storage-interface/spec (csi.proto, 1.12) and of
// k8s.io/kubelet (pluginregistration/v1). A table of data, in the form of protobuf-fields.ts.

export const pluginMessages: Record<string, string> = {
  'pluginregistration.InfoRequest': '',
  'pluginregistration.PluginInfo': '1 type s, 2 name s, 3 endpoint s, 4 supported_versions *s',
  'pluginregistration.RegistrationStatus': '1 plugin_registered b, 2 error s',
  'csi.CapacityRange': '1 required_bytes i, 2 limit_bytes i',
  'csi.Empty': '',
  'csi.AccessMode': '1 mode i',
  'csi.Capability': '1 rpc csi.CapabilityRpc',
  'csi.CapabilityRpc': '1 type i',
  'csi.MountVolume': '1 fs_type s, 2 mount_flags *s, 3 volume_mount_group s',
  'csi.NodeExpandVolumeRequest':
    '1 volume_id s, 2 volume_path s, 3 capacity_range csi.CapacityRange, 4 staging_target_path s, 5 volume_capability csi.VolumeCapability, 6 secrets %s',
  'csi.NodeGetCapabilitiesResponse': '1 capabilities *csi.Capability',
  'csi.NodeGetInfoResponse': '1 node_id s, 2 max_volumes_per_node i, 3 accessible_topology csi.Topology',
  'csi.NodeGetVolumeStatsRequest': '1 volume_id s, 2 volume_path s, 3 staging_target_path s',
  'csi.NodeGetVolumeStatsResponse': '1 usage *csi.VolumeUsage',
  'csi.NodePublishVolumeRequest':
    '1 volume_id s, 2 publish_context %s, 3 staging_target_path s, 4 target_path s, 5 volume_capability csi.VolumeCapability, 6 readonly b, 7 secrets %s, 8 volume_context %s',
  'csi.NodeStageVolumeRequest':
    '1 volume_id s, 2 publish_context %s, 3 staging_target_path s, 4 volume_capability csi.VolumeCapability, 5 secrets %s, 6 volume_context %s',
  'csi.NodeUnpublishVolumeRequest': '1 volume_id s, 2 target_path s',
  'csi.NodeUnstageVolumeRequest': '1 volume_id s, 2 staging_target_path s',
  'csi.Topology': '1 segments %s',
  'csi.VolumeCapability': '1 block csi.Empty, 2 mount csi.MountVolume, 3 access_mode csi.AccessMode',
  'csi.VolumeUsage': '1 available i, 2 total i, 3 used i, 4 unit i',
}
