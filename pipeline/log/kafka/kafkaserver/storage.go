//go:build unix

package kafkaserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A storage that was just formatted tells of the cluster's id, the node's and the
// features, and of nothing else that differs between clusters. The program that
// formats takes a second, so what it made is kept beside the distribution, and
// copied for the next node of that number. A cluster with users is formatted
// itself: no password is kept.

// format writes the node's settings and, once, its storage.
func (n *Node) format(ctx context.Context) error {
	if err := os.MkdirAll(n.dir(), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(n.configPath(), []byte(properties(n.settings())), 0o600); err != nil {
		return err
	}
	if exists(filepath.Join(n.Data(), metaProperties)) {
		return nil
	}
	if n.cluster.options.Users != nil {
		return n.runFormat(ctx)
	}
	kept := n.keptStorage()
	if exists(kept) {
		return os.CopyFS(n.Data(), os.DirFS(kept))
	}
	if err := n.runFormat(ctx); err != nil {
		return err
	}
	return keep(n.Data(), kept)
}

// metaProperties is there once a storage is formatted.
const metaProperties = "meta.properties"

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// keptStorage is where a storage formatted like the node's is kept.
func (n *Node) keptStorage() string {
	args := slices.DeleteFunc(n.formatArguments(), func(a string) bool { return a == n.configPath() })
	like := sha256.Sum256(fmt.Appendf(nil, "%s %t %t", strings.Join(args, " "), n.broker, n.controller))
	return filepath.Join(n.cluster.dist.Home, fmt.Sprintf("storage-%d-%x", n.id, like[:8]))
}

// keep copies a storage to where it is kept, in one step; another process may have
// done so meanwhile.
func keep(data, kept string) error {
	beside, err := os.MkdirTemp(filepath.Dir(kept), ".storage-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(beside)
	if err := os.CopyFS(beside, os.DirFS(data)); err != nil {
		return err
	}
	if err := os.Rename(beside, kept); err != nil && !exists(kept) {
		return errors.Join(errors.New("keep the formatted storage"), err)
	}
	return nil
}
