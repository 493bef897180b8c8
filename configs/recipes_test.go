package configs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// recipeEnv has every variable that a recipe asks for.
func recipeEnv() func(string) (string, bool) {
	return envOf(map[string]string{
		"SHOP_URL": "postgres://evert:hunter2@localhost:5432/shop", "SHOP_PASSWORD": canary,
		"BILLING_URL":  "mysql://evert:hunter2@localhost:3306/billing",
		"MIRROR_URL":   "postgres://evert:hunter2@localhost:5432/reporting",
		"SEARCH_URL":   "http://localhost:9200",
		"KAFKA_BROKER": "localhost:9092", "REGISTRY_URL": "http://localhost:8081", "EVERT_TOKEN": canary, "PII_KEY": canary,
		"HOOK_SECRET": canary, "HOOK_TOKEN": canary,
	})
}

// Every recipe loads without a warning, fits the schema, and says at its top
// what it shows and how it is run.
func TestRecipes(t *testing.T) {
	files, err := filepath.Glob("recipes/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d recipes, %v", len(files), err)
	}
	schema := compileSchema(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse(file, data, recipeEnv())
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Warnings()) > 0 {
				t.Errorf("warnings: %v", c.Warnings())
			}
			if err := validate(t, schema, data); err != nil {
				t.Errorf("the schema refuses it: %v", err)
			}
			head, _, _ := strings.Cut(string(data), "\nname:")
			if !strings.HasPrefix(head, "# ") || !strings.Contains(head, "evert run -c "+filepath.Base(file)) {
				t.Errorf("the head does not say how to run it:\n%s", head)
			}
		})
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("evert.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("evert.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, data []byte) error {
	j, err := yaml.YAMLToJSON(data)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// The schema accepts the file that shows every section, and sees most of what
// Load refuses. The rest are secrets, references and rules between keys.
func TestSchemaSeesMostMistakes(t *testing.T) {
	schema := compileSchema(t)
	data, err := os.ReadFile("testdata/sections.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, schema, data); err != nil {
		t.Errorf("the schema refuses the file of all sections: %v", err)
	}
	_, cases := readCorpus(t)
	seen := 0
	for _, c := range cases {
		if strings.Contains(c.title, "bomb") {
			continue // the library would write it out
		}
		if validate(t, schema, []byte(c.file)) != nil {
			seen++
		}
	}
	t.Logf("the schema sees %d of %d bad files", seen, len(cases))
	if seen < len(cases)*58/100 {
		t.Errorf("the schema sees %d of %d bad files only", seen, len(cases))
	}
}
