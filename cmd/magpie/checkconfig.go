package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/config"
)

func newCheckConfigCommand(env environment) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check-config FILE",
		Short: "Check a configuration without starting the gateway",
		Long: `Read a configuration as "magpie serve --config FILE" would, MAGPIE_* variables included, and print every mistake with
its place and its key.

Exit status: 0 when the gateway would accept it, 2 when not.`,
		Example: `  magpie check-config magpie.yaml
  magpie check-config magpie.yaml --json`,
		Args: between(1, 1, "the file"),
		RunE: func(_ *cobra.Command, args []string) error { return checkConfig(env, args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// configReport is what --json prints.
type configReport struct {
	File     string          `json:"file"`
	OK       bool            `json:"ok"`
	Problems []configProblem `json:"problems"`
}

type configProblem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
}

func checkConfig(env environment, path string, asJSON bool) error {
	_, err := config.Load(path)
	problems := []configProblem{}
	if wrong, ok := errors.AsType[*config.Error](err); ok {
		for _, p := range wrong.Problems {
			problems = append(problems, configProblem{p.Name, p.Line, p.Column, p.Key, p.Message})
		}
	} else if err != nil {
		return &usageError{err}
	}
	if asJSON {
		report := configReport{File: path, OK: err == nil, Problems: problems}
		if err := json.NewEncoder(env.stdout).Encode(report); err != nil {
			return err
		}
	} else if err := tellConfig(env.stdout, path, err); err != nil {
		return err
	}
	if err != nil {
		return &usageError{errTold}
	}
	return nil
}

func tellConfig(w io.Writer, path string, wrong error) error {
	if wrong != nil {
		_, err := fmt.Fprintln(w, wrong)
		return err
	}
	_, err := fmt.Fprintf(w, "%s: no mistakes\n", path)
	return err
}
