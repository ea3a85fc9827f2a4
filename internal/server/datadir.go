package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// nodeFile holds the id that a node keeps over restarts.
const nodeFile = "node.id"

// UseDataDir makes dir ready for what outlives the process, and returns the node's id: the one kept there, or, the
// first time, fresh.
func UseDataDir(dir, fresh string) (nodeID string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("use the data directory: %w: name another with --data", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("use the data directory: %w: name another with --data", err)
	}
	defer root.Close() //nolint:errcheck // nothing was written through it that a close could lose
	kept, err := root.ReadFile(nodeFile)
	if err == nil {
		if id := strings.TrimSpace(string(kept)); id != "" {
			return id, checkKept(id, filepath.Join(dir, nodeFile))
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the node's id: %w", err)
	}
	if err := root.WriteFile(nodeFile, []byte(fresh+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the node's id in %s: %w: the directory must be writable", filepath.Join(dir, nodeFile), err)
	}
	return fresh, nil
}

// checkKept holds an id that somebody may have written by hand to the rule of node_id: it becomes part of session ids,
// and is printed.
func checkKept(id, path string) error {
	if wire.ChannelName(strings.ReplaceAll(id, ".", "-")).Check() != nil {
		return fmt.Errorf("the node's id in %s is not one: expected letters, digits, '_', '-' and dots; remove the file for a new id", path)
	}
	return nil
}
