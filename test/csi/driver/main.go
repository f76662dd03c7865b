// A CSI driver as others write one, on the published protocol: volumes are folders of its own, brought to the machine and to pods by bind mounts.
// It registers by itself, as node-driver-registrar does for most.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
	name, node, endpoint, data string
}

func (d *driver) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{Type: registration.CSIPlugin, Name: d.name, Endpoint: d.endpoint, SupportedVersions: []string{"1.0.0"}}, nil
}

func (d *driver) NotifyRegistrationStatus(_ context.Context, s *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	log.Printf("registered: %v %s", s.PluginRegistered, s.Error)
	return &registration.RegistrationStatusResponse{}, nil
}

func (d *driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: d.name, VendorVersion: "1"}, nil
}

func (d *driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func (d *driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	topology := &csi.Topology{Segments: map[string]string{"topology.test.csi/node": d.node}}
	return &csi.NodeGetInfoResponse{NodeId: d.node, MaxVolumesPerNode: 20, AccessibleTopology: topology}, nil
}

func (d *driver) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	r := &csi.NodeGetCapabilitiesResponse{}
	for _, what := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME,
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
	} {
		rpc := &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: what}}
		r.Capabilities = append(r.Capabilities, &csi.NodeServiceCapability{Type: rpc})
	}
	return r, nil
}

func (d *driver) NodeStageVolume(_ context.Context, r *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	if want := r.VolumeContext["password"]; want != r.Secrets["password"] {
		return nil, status.Error(codes.Unauthenticated, "the password is wrong")
	}
	if r.VolumeContext["attached"] != r.PublishContext["attached"] {
		return nil, status.Error(codes.FailedPrecondition, "it is not attached")
	}
	if r.VolumeCapability.GetBlock() != nil {
		return &csi.NodeStageVolumeResponse{}, nil
	}
	if r.VolumeCapability.GetMount() == nil || r.VolumeCapability.GetAccessMode() == nil {
		return nil, status.Error(codes.InvalidArgument, "no capability")
	}
	folder := filepath.Join(d.data, r.VolumeId)
	return &csi.NodeStageVolumeResponse{}, d.bind(folder, r.StagingTargetPath, false)
}

func (d *driver) NodeUnstageVolume(_ context.Context, r *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	return &csi.NodeUnstageVolumeResponse{}, unmount(r.StagingTargetPath)
}

func (d *driver) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if r.VolumeCapability.GetBlock() != nil {
		return &csi.NodePublishVolumeResponse{}, bindFile(r.VolumeContext["device"], r.TargetPath)
	}
	from := r.StagingTargetPath
	if r.VolumeContext["csi.storage.k8s.io/ephemeral"] == "true" {
		from = filepath.Join(d.data, r.VolumeId)
		if err := os.MkdirAll(from, 0o777); err != nil {
			return nil, err
		}
		who := r.VolumeContext["csi.storage.k8s.io/pod.namespace"] + "/" + r.VolumeContext["csi.storage.k8s.io/pod.name"] + " " + r.VolumeContext["greeting"]
		if err := os.WriteFile(filepath.Join(from, "who"), []byte(who), 0o644); err != nil {
			return nil, err
		}
	} else if !mounted(from) {
		return nil, status.Error(codes.FailedPrecondition, "it is not staged")
	}
	return &csi.NodePublishVolumeResponse{}, d.bind(from, r.TargetPath, r.Readonly)
}

func (d *driver) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if err := unmount(r.TargetPath); err != nil {
		return nil, err
	}
	if err := os.Remove(r.TargetPath); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	if strings.HasPrefix(r.VolumeId, "csi-") {
		return &csi.NodeUnpublishVolumeResponse{}, os.RemoveAll(filepath.Join(d.data, r.VolumeId))
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// A volume is as large as the file beside it says.
func (d *driver) NodeExpandVolume(_ context.Context, r *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	if r.Secrets["grow"] != "please" {
		return nil, status.Error(codes.Unauthenticated, "it wants to be asked kindly")
	}
	if !mounted(r.StagingTargetPath) || !mounted(r.VolumePath) || r.VolumeCapability.GetMount() == nil {
		return nil, status.Error(codes.FailedPrecondition, "it is not here")
	}
	bytes := r.CapacityRange.GetRequiredBytes()
	return &csi.NodeExpandVolumeResponse{CapacityBytes: bytes}, os.WriteFile(d.sizeFile(r.VolumeId), []byte(strconv.FormatInt(bytes, 10)), 0o644)
}

func (d *driver) NodeGetVolumeStats(_ context.Context, r *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	text, _ := os.ReadFile(d.sizeFile(r.VolumeId))
	total, _ := strconv.ParseInt(string(text), 10, 64)
	entries, err := os.ReadDir(r.VolumePath)
	if err != nil {
		return nil, status.Error(codes.NotFound, err.Error())
	}
	files := int64(len(entries))
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{
		{Unit: csi.VolumeUsage_BYTES, Total: total, Used: 7, Available: total - 7},
		{Unit: csi.VolumeUsage_INODES, Total: 100, Used: files, Available: 100 - files},
	}}, nil
}

func (d *driver) sizeFile(volume string) string {
	return filepath.Join(d.data, volume+".size")
}

func mounted(at string) bool {
	mounts, _ := os.ReadFile("/proc/mounts")
	return strings.Contains(string(mounts), " "+at+" ")
}

func (d *driver) bind(from, to string, readOnly bool) error {
	if mounted(to) {
		return nil
	}
	for _, folder := range []string{from, to} {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
	}
	if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	if !readOnly {
		return nil
	}
	return syscall.Mount("", to, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}

func bindFile(from, to string) error {
	if mounted(to) {
		return nil
	}
	if err := os.WriteFile(to, nil, 0o600); err != nil {
		return err
	}
	return syscall.Mount(from, to, "", syscall.MS_BIND, "")
}

func unmount(at string) error {
	if !mounted(at) {
		return nil
	}
	return syscall.Unmount(at, 0)
}

func serve(socket string, register func(*grpc.Server)) {
	os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	log.Fatal(server.Serve(listener))
}

func main() {
	d := &driver{}
	var registry string
	flag.StringVar(&d.name, "name", "test.csi", "")
	flag.StringVar(&d.node, "node", "", "")
	flag.StringVar(&d.endpoint, "endpoint", "", "")
	flag.StringVar(&d.data, "data", "", "")
	flag.StringVar(&registry, "registry", "", "")
	flag.Parse()
	go serve(d.endpoint, func(s *grpc.Server) {
		csi.RegisterIdentityServer(s, d)
		csi.RegisterNodeServer(s, d)
	})
	serve(registry, func(s *grpc.Server) { registration.RegisterRegistrationServer(s, d) })
}
