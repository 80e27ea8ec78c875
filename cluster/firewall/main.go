// The part of kube-router that enforces NetworkPolicies, without its routes and its proxy, which take minutes to build.
package main

import (
	"sync"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/spf13/pflag"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

func main() {
	config := options.NewKubeRouterConfig()
	config.AddFlags(pflag.CommandLine)
	pflag.Parse()
	if err := enforce(config); err != nil {
		klog.Fatal(err)
	}
}

// enforce answers on the health port as soon as it knows all policies, and does not return unless it fails.
func enforce(config *options.KubeRouterConfig) error {
	access, err := clientcmd.BuildConfigFromFlags(config.Master, config.Kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	never := make(chan struct{})
	known := informers.NewSharedInformerFactory(client, 0)
	controller, err := controller(config, client, known, never)
	if err != nil {
		return err
	}
	health, err := healthcheck.NewHealthController(config)
	if err != nil {
		return err
	}
	health.SetAlive()
	beats := make(chan *healthcheck.ControllerHeartbeat, 10)
	var all sync.WaitGroup
	all.Add(3)
	go controller.Run(beats, never, &all)
	go health.RunCheck(beats, never, &all)
	go health.RunServer(never, &all)
	all.Wait()
	return nil
}

func controller(
	config *options.KubeRouterConfig, client kubernetes.Interface, known informers.SharedInformerFactory, never chan struct{},
) (*netpol.NetworkPolicyController, error) {
	pods := known.Core().V1().Pods().Informer()
	namespaces := known.Core().V1().Namespaces().Informer()
	policies := known.Networking().V1().NetworkPolicies().Informer()
	known.Start(never)
	known.WaitForCacheSync(never)
	tables, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return nil, err
	}
	made, err := netpol.NewNetworkPolicyController(
		client, config, pods, policies, namespaces, &sync.Mutex{}, tables, sets)
	if err != nil {
		return nil, err
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods:       made.PodEventHandler,
		namespaces: made.NamespaceEventHandler,
		policies:   made.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, err
		}
	}
	return made, nil
}
