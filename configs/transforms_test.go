package configs

import (
	"os"
	"strings"
	"testing"
)

// Every example of the page of transforms is a part of a file that loads without
// a warning, fits the schema, and every kind of step has one.
func TestTransformsPage(t *testing.T) {
	page, err := os.ReadFile("TRANSFORMS.md")
	if err != nil {
		t.Fatal(err)
	}
	shown, schema := map[string]bool{}, compileSchema(t)
	for i, block := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		file := "name: shop\nsources:\n  shop:\n    postgres: {url: \"${SHOP_URL}\", tables: [public.*]}\n"
		for line := range strings.Lines(block) {
			file += "    " + line
		}
		c, err := Parse("block", []byte(file), recipeEnv())
		if err != nil {
			t.Errorf("block %d: %v", i+1, err)
			continue
		}
		if err := validate(t, schema, []byte(file)); err != nil || len(c.Warnings()) > 0 {
			t.Errorf("block %d: %v, warnings %v", i+1, err, c.Warnings())
		}
		for n := range c.Sources["shop"].Transforms {
			for _, kind := range c.Sources["shop"].Transforms[n].kinds() {
				shown[kind] = true
			}
		}
	}
	for _, kind := range transformKinds() {
		if !shown[kind] {
			t.Errorf("no example has a step %s", kind)
		}
	}
}
