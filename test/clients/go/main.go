// A program as operators are: typed clients over protobuf, shared informers, the dynamic client, leader election. It says what it saw, line by
// line, and ends with 1 at the first thing that is not as client-go expects it.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
)

const ns = "default"

func must(what string, err error) {
	if err != nil {
		fmt.Printf("not ok %s: %v\n", what, err)
		os.Exit(1)
	}
	fmt.Printf("ok %s\n", what)
}

func check(what string, holds bool, seen any) {
	if !holds {
		fmt.Printf("not ok %s: %v\n", what, seen)
		os.Exit(1)
	}
	fmt.Printf("ok %s\n", what)
}

func typed(ctx context.Context, c kubernetes.Interface) {
	maps := c.CoreV1().ConfigMaps(ns)
	made, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "go", Labels: map[string]string{"go": "1"}}, Data: map[string]string{"a": "ü"}}, metav1.CreateOptions{})
	must("create over protobuf", err)
	check("the answer is the object", made.UID != "" && made.Data["a"] == "ü" && !made.CreationTimestamp.IsZero(), made)
	_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "go"}}, metav1.CreateOptions{})
	check("a second create is AlreadyExists", apierrors.IsAlreadyExists(err), err)
	_, err = maps.Get(ctx, "none", metav1.GetOptions{})
	check("what is not there is NotFound", apierrors.IsNotFound(err), err)
	_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "NOPE"}}, metav1.CreateOptions{})
	check("what is wrong is Invalid, with its fields", apierrors.IsInvalid(err), err)
	list, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "go=1"})
	must("list", err)
	check("it lists the one", len(list.Items) == 1 && list.Items[0].Name == "go" && list.ResourceVersion != "", list)
	stale := made.DeepCopy()
	made.Data["b"] = "2"
	updated, err := maps.Update(ctx, made, metav1.UpdateOptions{})
	must("update", err)
	check("it has moved", updated.ResourceVersion != stale.ResourceVersion, updated.ResourceVersion)
	_, err = maps.Update(ctx, stale, metav1.UpdateOptions{FieldManager: "other"})
	check("an update of the old version is Conflict", apierrors.IsConflict(err), err)
	must("retry on conflict", retry.RetryOnConflict(retry.DefaultRetry, func() error {
		o, err := maps.Get(ctx, "go", metav1.GetOptions{})
		if err != nil {
			return err
		}
		o.Data["c"] = "3"
		_, err = maps.Update(ctx, o, metav1.UpdateOptions{})
		return err
	}))
	patched, err := maps.Patch(ctx, "go", types.StrategicMergePatchType, []byte(`{"data":{"c":null}}`), metav1.PatchOptions{})
	must("patch", err)
	check("the patch took away", patched.Data["c"] == "", patched.Data)
	applied, err := maps.Apply(ctx, applycorev1.ConfigMap("go", ns).WithData(map[string]string{"d": "4"}), metav1.ApplyOptions{FieldManager: "go-test"})
	must("server-side apply", err)
	check("apply merged", applied.Data["d"] == "4" && applied.Data["a"] == "ü", applied.Data)
	extracted, err := applycorev1.ExtractConfigMap(applied, "go-test")
	must("extract what was applied", err)
	check("that alone", len(extracted.Data) == 1 && extracted.Data["d"] == "4", extracted.Data)
	w, err := maps.Watch(ctx, metav1.ListOptions{ResourceVersion: applied.ResourceVersion, FieldSelector: "metadata.name=go"})
	must("watch over protobuf", err)
	defer w.Stop()
	must("delete", maps.Delete(ctx, "go", metav1.DeleteOptions{}))
	select {
	case e := <-w.ResultChan():
		o, is := e.Object.(*corev1.ConfigMap)
		check("the watch tells of it", e.Type == watch.Deleted && is && o.Name == "go", e)
	case <-time.After(10 * time.Second):
		check("the watch tells of it", false, "nothing in ten seconds")
	}
}

func informed(ctx context.Context, c kubernetes.Interface) {
	factory := informers.NewSharedInformerFactory(c, 0)
	secrets := factory.Core().V1().Secrets()
	seen := make(chan string, 100)
	_, err := secrets.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { seen <- "add " + o.(*corev1.Secret).Name },
		UpdateFunc: func(_, o any) { seen <- "update " + o.(*corev1.Secret).Name },
		DeleteFunc: func(o any) {
			if s, is := o.(*corev1.Secret); is {
				seen <- "delete " + s.Name
			}
		},
	})
	must("add a handler", err)
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		check(fmt.Sprintf("the informer of %v has synced", kind), synced, kind)
	}
	api := c.CoreV1().Secrets(ns)
	made, err := api.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "informed"}, Data: map[string][]byte{"k": {0, 255}}}, metav1.CreateOptions{})
	must("create a secret", err)
	made.Data["l"] = []byte("x")
	_, err = api.Update(ctx, made, metav1.UpdateOptions{})
	must("update it", err)
	must("delete it", api.Delete(ctx, "informed", metav1.DeleteOptions{}))
	for _, want := range []string{"add informed", "update informed", "delete informed"} {
		timeout := time.After(10 * time.Second)
		for got := ""; got != want; {
			select {
			case got = <-seen:
			case <-timeout:
				check("the informer tells "+want, false, "nothing in ten seconds")
			}
		}
		check("the informer tells "+want, true, "")
	}
}

func untyped(ctx context.Context, d dynamic.Interface, m metadata.Interface) {
	gvr := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "dynamic"},
		"spec": map[string]any{
			"replicas": int64(0),
			"selector": map[string]any{"matchLabels": map[string]any{"a": "b"}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"a": "b"}},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "c", "image": "x"}}},
			},
		},
	}}
	made, err := d.Resource(gvr).Namespace(ns).Create(ctx, o, metav1.CreateOptions{})
	must("create by the dynamic client", err)
	policy, _, _ := unstructured.NestedString(made.Object, "spec", "template", "spec", "restartPolicy")
	check("defaults are filled in", policy == "Always", policy)
	part, err := m.Resource(gvr).Namespace(ns).Get(ctx, "dynamic", metav1.GetOptions{})
	must("metadata alone", err)
	check("it is the object's", part.UID == made.GetUID(), part)
	scale, err := d.Resource(gvr).Namespace(ns).Get(ctx, "dynamic", metav1.GetOptions{}, "scale")
	must("a subresource", err)
	check("of its own kind", scale.GetKind() == "Scale", scale.GetKind())
	must("delete it by the dynamic client", d.Resource(gvr).Namespace(ns).Delete(ctx, "dynamic", metav1.DeleteOptions{}))
}

func led(ctx context.Context, c kubernetes.Interface) {
	elected := make(chan string, 10)
	run := func(id string, ctx context.Context) {
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{
				LeaseMeta:  metav1.ObjectMeta{Name: "go-leader", Namespace: ns},
				Client:     c.CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: id},
			},
			ReleaseOnCancel: true,
			LeaseDuration:   4 * time.Second,
			RenewDeadline:   3 * time.Second,
			RetryPeriod:     200 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { elected <- id },
				OnStoppedLeading: func() {},
			},
		})
	}
	first, stop := context.WithCancel(ctx)
	go run("one", first)
	check("one leads", <-elected == "one", "")
	second, end := context.WithCancel(ctx)
	defer end()
	go run("two", second)
	select {
	case id := <-elected:
		check("there is one leader at a time", false, id)
	case <-time.After(time.Second):
	}
	stop()
	select {
	case id := <-elected:
		check("the other takes over", id == "two", id)
	case <-time.After(15 * time.Second):
		check("the other takes over", false, "nobody did")
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must("read the kubeconfig", err)
	d, err := dynamic.NewForConfig(config)
	must("a dynamic client", err)
	m, err := metadata.NewForConfig(config)
	must("a metadata client", err)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	// Nothing else is accepted: what comes back is protobuf, or an error.
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf"
	c, err := kubernetes.NewForConfig(config)
	must("a typed client", err)
	typed(ctx, c)
	informed(ctx, c)
	untyped(ctx, d, m)
	led(ctx, c)
	fmt.Println("done")
}
