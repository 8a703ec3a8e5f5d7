// One binary with a whole Kubernetes control plane in it, for the tests: the first argument picks the
// server (etcd, kube-apiserver, kube-controller-manager, kube-proxy) or the client (kubectl), or the
// binary is started through a link of that name, as KUBEBUILDER_ASSETS has them. These are the
// unchanged upstream commands; nothing of this module is shipped.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
)

var commands = map[string]func() *cobra.Command{
	"kube-apiserver":          func() *cobra.Command { return apiserver.NewAPIServerCommand() },
	"kube-controller-manager": func() *cobra.Command { return controllers.NewControllerManagerCommand() },
	"kube-proxy":              func() *cobra.Command { return proxy.NewProxyCommand() },
	"kubectl":                 func() *cobra.Command { return kubectl.NewDefaultKubectlCommand() },
}

func main() {
	args := os.Args
	if !known(filepath.Base(args[0])) {
		args = args[1:]
	}
	if len(args) == 0 || !known(filepath.Base(args[0])) {
		fmt.Fprintln(os.Stderr, "usage: controlplane etcd|"+strings.Join(names(), "|")+" [flag ...]")
		os.Exit(2)
	}
	os.Args = append([]string{filepath.Base(args[0])}, args[1:]...)
	if os.Args[0] == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	os.Exit(cli.Run(commands[os.Args[0]]()))
}

func known(name string) bool {
	return name == "etcd" || commands[name] != nil
}

func names() []string {
	all := make([]string, 0, len(commands))
	for name := range commands {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}
