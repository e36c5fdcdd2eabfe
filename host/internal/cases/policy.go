package cases

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/ringfence/ringfence/internal/hclscreen"
	"github.com/ringfence/ringfence/policies"
)

// policyOf is a policy that grants one plugin what is inside a grant. The grant's
// lines keep their numbers, so that what package policies says of them is true.
func policyOf(c *Case, inside string, line int, secrets map[string]string) []byte {
	var b bytes.Buffer
	source, err := filepath.Abs(c.Module)
	if err != nil {
		source = c.Module
	}
	b.WriteString(strings.Repeat("\n", max(line-2, 0)))
	fmt.Fprintf(&b, "plugin %s {\n  source = %s", quoted(c.plugin), quoted(source))
	if !strings.HasPrefix(strings.TrimLeft(inside, " \t\r"), "\n") {
		b.WriteByte('\n')
	}
	b.WriteString(inside)
	b.WriteString("\n}\n")
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		fmt.Fprintf(&b, "secret %s {\n  value = %s\n}\n", quoted(name), quoted(secrets[name]))
	}
	return b.Bytes()
}

// quoted is a string in HCL that means just itself.
func quoted(s string) string { return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes()) }

// Policy reads the policy of a case, with relative paths starting at dir.
func (c *Case) Policy(dir string) (*policies.Policy, error) {
	return policies.Parse(filepath.Join(dir, filepath.Base(c.File)), c.policy, policies.Options{})
}

// checkFiles refuses names that lead out of a case's folder, and files that would
// have to be folders, too.
func (c *Case) checkFiles() error {
	for _, set := range []map[string]string{c.files, c.expect.files} {
		names := slices.Sorted(maps.Keys(set))
		isFile := map[string]bool{}
		for _, name := range names {
			clean := path.Clean(name)
			if !filepath.IsLocal(name) || clean == "." {
				return fmt.Errorf("%q is not a path inside the case's folder", name)
			}
			if !strings.HasSuffix(name, "/") {
				isFile[clean] = true
			}
		}
		for _, name := range names {
			folder := path.Clean(name)
			if !strings.HasSuffix(name, "/") {
				folder = path.Dir(folder)
			}
			for ; folder != "."; folder = path.Dir(folder) {
				if isFile[folder] {
					return fmt.Errorf("%q cannot be a file and, for %q, a folder", folder, name)
				}
			}
		}
	}
	return nil
}

// checkGrant refuses text that is not whole by itself. A plugin comes with its
// cases: text that closed the plugin's block could go on with settings of the host,
// secrets and other plugins.
func checkGrant(inside string) error {
	_, diags := hclscreen.Text([]byte(inside), "grant_hcl", "grant")
	if !diags.HasErrors() {
		_, diags = hclsyntax.ParseConfig([]byte(inside), "grant_hcl", hcl.InitialPos)
	}
	if diags.HasErrors() {
		return errors.New(diags[0].Summary + ": " + diags[0].Detail)
	}
	return nil
}

// checkReach refuses a case that would let the plugin at folders of the machine:
// only what the case lays down is there for its workspaces.
func (c *Case) checkReach(policy *policies.Policy, dir string) error {
	for _, p := range policy.Plugins() {
		for _, w := range p.Workspaces() {
			inside, err := filepath.Rel(dir, w.Path)
			if err != nil || !filepath.IsLocal(inside) {
				return fmt.Errorf("%s:%d: workspace %q is %s, which is not inside the case's folder: write a relative path, and what is in it as files", c.File, c.Line, w.Name, w.Path)
			}
		}
	}
	return nil
}

// lay writes a case's files into a folder. A name that ends in a slash is a folder.
func (c *Case) lay(dir string) error {
	for name, text := range c.files {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(to, 0o700); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
