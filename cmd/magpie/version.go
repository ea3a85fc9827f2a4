package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker (-X main.version=v1.2.3).
var version string

// buildFacts tell which program this is.
type buildFacts struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Time    string `json:"time,omitempty"`     // of the commit
	Changed bool   `json:"modified,omitempty"` // the tree was not that of the commit
	Go      string `json:"go"`
	System  string `json:"platform"`
}

func readBuildFacts() buildFacts {
	facts := buildFacts{Version: version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		facts.Version = firstOf(facts.Version, info.Main.Version)
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				facts.Commit = s.Value
			case "vcs.time":
				facts.Time = s.Value
			case "vcs.modified":
				facts.Changed = s.Value == "true"
			}
		}
	}
	if facts.Version == "" || facts.Version == "(devel)" {
		facts.Version = "dev"
	}
	return facts
}

// buildVersion is the version alone.
func buildVersion() string { return readBuildFacts().Version }

func newVersionCommand(env environment) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Tell the version",
		Long:  "Tell the version of this binary, the commit it was built from, and what it was built with.",
		Example: `  magpie version
  magpie version --json`,
		Args: between(0, 0, ""),
		RunE: func(*cobra.Command, []string) error { return printVersion(env.stdout, readBuildFacts(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func printVersion(w io.Writer, facts buildFacts, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(facts)
	}
	commit := ""
	if facts.Commit != "" {
		commit = ", commit " + facts.Commit[:min(len(facts.Commit), 12)]
		if facts.Changed {
			commit += " with changes"
		}
	}
	_, err := fmt.Fprintf(w, "magpie %s (%s, %s%s)\n", facts.Version, facts.Go, facts.System, commit)
	return err
}
