// Command gen generates the tables of operations for Go, C, JavaScript and Python from
// host/op/ops.json. It is run by "go generate ./host/op".
package main

import (
	"fmt"
	"os"

	"mayfly/host/op/gen/table"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	source, err := os.ReadFile("ops.json")
	if err != nil {
		return err
	}
	operations, err := table.Parse(source)
	if err != nil {
		return err
	}
	files, err := operations.Render()
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.WriteFile("../../"+file.Path, file.Content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
