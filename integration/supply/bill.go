package main

import (
	"runtime/debug"
)

// A bill is a bill of materials as CycloneDX 1.5 writes it.
type bill struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component  component  `json:"component"`
	Properties []property `json:"properties"`
}

// A component is one module.
type component struct {
	Type       string     `json:"type"` // application or library
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Licences   []licensed `json:"licenses,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type licensed struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// billOf tells what the linker noted in a binary.
func billOf(info *debug.BuildInfo, licences map[string]string) bill {
	b := bill{Format: "CycloneDX", Spec: "1.5", Version: 1}
	b.Metadata.Component = componentOf(&info.Main, map[string]string{info.Main.Path: "Apache-2.0"})
	b.Metadata.Component.Type = "application"
	b.Metadata.Properties = []property{{"go:version", info.GoVersion}}
	for _, s := range info.Settings {
		b.Metadata.Properties = append(b.Metadata.Properties, property{"go:build:" + s.Key, s.Value})
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, componentOf(m, licences))
	}
	return b
}

func componentOf(m *debug.Module, licences map[string]string) component {
	purl := "pkg:golang/" + m.Path + "@" + m.Version
	c := component{Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl}
	if id := licences[m.Path]; id != "" {
		var l licensed
		l.License.ID = id
		c.Licences = []licensed{l}
	}
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}} // of the module's tree, as go.sum has it
	}
	return c
}
