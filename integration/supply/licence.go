package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// platforms are those whose modules are looked at: some are linked on one alone.
func platforms() []string { return []string{"linux", "darwin", "windows"} }

// licencesOf gives the licence of every module that packages are made of, by the
// name that SPDX has for it; flags go to go list.
func licencesOf(ctx context.Context, root string, args ...string) (map[string]string, error) {
	out := map[string]string{}
	for _, goos := range platforms() {
		dirs, err := modules(ctx, root, goos, args...)
		if err != nil {
			return nil, err
		}
		for path, dir := range dirs {
			if out[path] != "" {
				continue
			}
			if out[path], err = licence(dir); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return out, nil
}

// modules gives the folder of every module but our own.
func modules(ctx context.Context, root, goos string, args ...string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-deps", "-json=Module"}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	list, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &errs)
	}
	dirs := map[string]string{}
	d := json.NewDecoder(bytes.NewReader(list))
	for {
		var p struct {
			Module *struct {
				Path, Dir string
				Main      bool
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return dirs, nil
		} else if err != nil {
			return nil, err
		}
		if p.Module != nil && !p.Module.Main {
			dirs[p.Module.Path] = p.Module.Dir
		}
	}
}

// licence reads the licence that lies at the root of a module.
func licence(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		name := strings.ToLower(e.Name())
		named := strings.HasPrefix(name, "licen") || strings.HasPrefix(name, "copying")
		if e.IsDir() || !named {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		return classify(string(text))
	}
	return "", errors.New("it has no licence")
}

// classify knows a licence by sentences that are its own. A text of none, or of
// one that takes more than it gives, is an error or a name that no list allows.
func classify(text string) (string, error) {
	text = strings.Join(strings.Fields(text), " ")
	has := func(s string) bool { return strings.Contains(text, s) }
	switch {
	case has("GNU AFFERO") || has("GNU GENERAL PUBLIC") || has("GNU LESSER"):
		return "GPL", nil
	case has("Business Source License") || has("Server Side Public License") || has("Commons Clause"):
		return "source-available", nil
	case has("Mozilla Public License Version 2.0"):
		return "MPL-2.0", nil
	case has("Apache License") && has("Version 2.0"):
		return "Apache-2.0", nil
	case has("Redistribution and use in source and binary forms") && (has("Neither the name") || has("names of its contributors") || has("may be used to endorse")):
		return "BSD-3-Clause", nil
	case has("Redistribution and use in source and binary forms"):
		return "BSD-2-Clause", nil
	case has("Permission is hereby granted, free of charge"):
		return "MIT", nil
	case has("Permission to use, copy, modify, and/or distribute this software"):
		return "ISC", nil
	}
	return "", fmt.Errorf("a licence that is not known: %.60s…", text)
}
