//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// micro runs the benchmarks beside the code.
func (l *lab) micro(ctx context.Context, res *results) error {
	time := "1s"
	if l.short {
		time = "100ms"
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=.", "-benchmem", "-benchtime="+time,
		"./schema/...", "./pipeline/...", "./sources/...")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, said.Bytes())
	}
	res.Micro = parseMicro(said.Bytes())
	return nil
}

func parseMicro(text []byte) []micro {
	var all []micro
	pkg := ""
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		fields := strings.Fields(s.Text())
		switch {
		case len(fields) == 2 && fields[0] == "pkg:":
			pkg = strings.TrimPrefix(fields[1], "github.com/evertdb/evert/")
		case len(fields) > 3 && strings.HasPrefix(fields[0], "Benchmark"):
			all = append(all, parseLine(pkg, fields))
		}
	}
	return all
}

// parseLine reads `name n value unit value unit …`.
func parseLine(pkg string, fields []string) micro {
	m := micro{Package: pkg, Name: strings.TrimPrefix(fields[0], "Benchmark")}
	for i := 2; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			continue
		}
		switch fields[i+1] {
		case "ns/op":
			m.NsOp = v
		case "MB/s":
			m.MBs = v
		case "B/op":
			m.BytesOp = int64(v)
		case "allocs/op":
			m.Allocs = int64(v)
		}
	}
	return m
}
