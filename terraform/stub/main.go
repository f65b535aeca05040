// Command stub stands in for the AWS provider in the tests of the Terraform
// modules: it has the schema of the resource types that they use, keeps what is
// planned, and invents what AWS would decide. It knows nothing else of AWS, and
// never speaks to it: a plan that it takes is not a plan that AWS takes.
package main

import (
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "stub:", err)
		os.Exit(1)
	}
}

func serve() error {
	schemas, err := loadSchemas()
	if err != nil {
		return err
	}
	// Terraform knows a provider by where its file lies, and not by this name.
	return tf5server.Serve("selvedge/stub", func() tfprotov5.ProviderServer { return &server{schemas: schemas} })
}
