// The programs of a Karmada control plane in one; the name by which it is called chooses.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	controllerruntime "sigs.k8s.io/controller-runtime"

	apiserver "github.com/karmada-io/karmada/cmd/aggregated-apiserver/app"
	controllers "github.com/karmada-io/karmada/cmd/controller-manager/app"
	scheduler "github.com/karmada-io/karmada/cmd/scheduler/app"
	webhook "github.com/karmada-io/karmada/cmd/webhook/app"
)

func main() {
	ctx := controllerruntime.SetupSignalHandler()
	var command *cobra.Command
	switch name := filepath.Base(os.Args[0]); name {
	case "karmada-aggregated-apiserver":
		command = apiserver.NewAggregatedApiserverCommand(ctx)
	case "karmada-controller-manager":
		command = controllers.NewControllerManagerCommand(ctx)
	case "karmada-scheduler":
		command = scheduler.NewSchedulerCommand(ctx)
	case "karmada-webhook":
		command = webhook.NewWebhookCommand(ctx)
	default:
		fmt.Fprintf(os.Stderr, "%s is none of Karmada's programs\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(command))
}
