package policies

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxWorkspaces bounds the workspaces of one plugin.
const maxWorkspaces = 16

// Workspace is a folder that a plugin may see.
type Workspace struct {
	// Name is the label of the block: [a-z][a-z0-9_-]{0,62}.
	Name string
	// Path is the absolute path of the folder, which need not exist.
	Path string
	// Write allows changing it; else it is read-only.
	Write bool

	// What follows is of modules, whose files the host serves. A native plugin
	// has the folder itself.

	// Include are patterns of path.Match for files that are refused unless they
	// are named: keys, environment files, version control. With a slash a pattern
	// is for a whole path, without one for a name in any folder.
	Include []string
	// MaxFile is the largest file that is written, in bytes: 1 B to 256 MiB.
	MaxFile uint64
	// MaxGrowth is how many bytes the plugin may add to the folder as long as the
	// host runs: 1 B to 1 TiB.
	MaxGrowth uint64
	// MaxFiles is how many files and folders it may add: 1 to 1000000.
	MaxFiles int

	at       hcl.Range
	served   *hcl.Range // a setting that only modules have
	writable *hcl.Range // a setting that only writing needs
}

const (
	defaultMaxFile   = 16 << 20
	maxMaxFile       = 256 << 20
	defaultMaxGrowth = 256 << 20
	maxMaxGrowth     = 1 << 40
	defaultMaxFiles  = 10_000
	maxMaxFiles      = 1_000_000
	maxInclude       = 64
)

// DeclRange is where the block stands, as "file:line".
func (w Workspace) DeclRange() string { return place(w.at) }

// Access is the word of the policy language: "read" or "write".
func (w Workspace) Access() string {
	if w.Write {
		return "write"
	}
	return "read"
}

// Workspaces are the folders that the plugin may see, in the order of the file.
func (p *Plugin) Workspaces() []Workspace { return append([]Workspace(nil), p.workspaces...) }

// workspace decodes a workspace block.
func (d *decoder) workspace(p *Plugin, b *hclsyntax.Block) {
	d.check(b.Body, workspaceShape)
	w := Workspace{Name: b.Labels[0], at: b.DefRange(), MaxFile: defaultMaxFile, MaxGrowth: defaultMaxGrowth, MaxFiles: defaultMaxFiles}
	if !blockName.MatchString(w.Name) {
		d.errorf(b.LabelRanges[0], fmt.Sprintf("%q is not a workspace name", w.Name), "%s", blockNameRule)
		return
	}
	for _, other := range p.workspaces {
		if other.Name == w.Name {
			d.duplicate(b, "workspace", w.Name, other.at)
			return
		}
	}
	if len(p.workspaces) == maxWorkspaces {
		d.errorf(b.DefRange(), "too many workspaces", "A plugin has at most %d.", maxWorkspaces)
		return
	}
	if a := b.Body.Attributes["path"]; a == nil {
		d.errorf(b.DefRange(), fmt.Sprintf("workspace %q has no path", w.Name), "Write path = \"./%s\".", w.Name)
	} else if text, ok := d.text(a, anywhere); ok {
		w.Path, _ = d.path(a, text)
	}
	if a := b.Body.Attributes["access"]; a != nil {
		w.Write = d.access(a)
	}
	d.serving(&w, b)
	p.workspaces = append(p.workspaces, w)
}

// serving decodes what counts where the host serves the files.
func (d *decoder) serving(w *Workspace, b *hclsyntax.Block) {
	note := func(at hcl.Range, into **hcl.Range) {
		if *into == nil {
			*into = &at
		}
	}
	if a := b.Body.Attributes["include"]; a != nil {
		note(a.NameRange, &w.served)
		w.Include = d.patterns(a)
	}
	for _, limit := range []struct {
		name string
		into *uint64
		high uint64
	}{{"max_file", &w.MaxFile, maxMaxFile}, {"max_growth", &w.MaxGrowth, maxMaxGrowth}} {
		if a := b.Body.Attributes[limit.name]; a != nil {
			note(a.NameRange, &w.served)
			note(a.NameRange, &w.writable)
			if n, ok := d.size(a, 1, limit.high); ok {
				*limit.into = n
			}
		}
	}
	if a := b.Body.Attributes["max_files"]; a != nil {
		note(a.NameRange, &w.served)
		note(a.NameRange, &w.writable)
		if n, ok := d.integer(a, 1, maxMaxFiles); ok {
			w.MaxFiles = n
		}
	}
	if w.writable != nil && !w.Write {
		d.warnf(*w.writable, "a limit on writing has no effect", "The workspace is read-only. Write access = \"write\", or remove the line.")
	}
}

func (d *decoder) patterns(a *hclsyntax.Attribute) []string {
	texts, places, _ := d.texts(a)
	if len(texts) > maxInclude {
		d.errorf(a.Expr.Range(), "too many patterns", "It has %d (allowed: %d).", len(texts), maxInclude)
		return nil
	}
	for i, text := range texts {
		if _, err := path.Match(text, ""); err != nil || text == "" || strings.HasPrefix(text, "/") || path.Clean(text) != text {
			d.errorf(places[i], fmt.Sprintf("%q is not a pattern of files", text), "Write a name such as \".env.example\", or a path such as \"public/*.pem\" from the workspace on.")
		}
	}
	return texts
}

func (d *decoder) access(a *hclsyntax.Attribute) (write bool) {
	text, ok := d.text(a, anywhere)
	if ok && text != "read" && text != "write" {
		d.errorf(a.Expr.Range(), fmt.Sprintf("unknown access %q", text), "It is \"read\" (the default) or \"write\".%s", didYouMean(text, []string{"read", "write"}))
	}
	return ok && text == "write"
}

// guarded is a file or folder that no plugin may reach through a workspace.
type guarded struct {
	what, path string
	reading    bool // reading it is bad enough
}

// guardedPaths are what a plugin could give itself more rights with, or find
// secrets in, in an order that does not change.
func (d *decoder) guardedPaths(p *Policy) []guarded {
	list := []guarded{{"the host's state_dir", p.settings.StateDir, true}}
	for _, name := range slices.Sorted(maps.Keys(d.secrets)) {
		list = append(list, guarded{fmt.Sprintf("the file of secret %q", name), d.secrets[name].file, true})
	}
	for _, name := range p.files {
		list = append(list, guarded{"this policy", filepath.Join(d.dirs[name], filepath.Base(name)), false})
	}
	for _, other := range p.plugins {
		list = append(list, guarded{fmt.Sprintf("the source of plugin %q", other.name), other.source, false})
	}
	return slices.DeleteFunc(list, func(g guarded) bool { return g.path == "" })
}

// reached is the first guarded thing that a workspace at path gives away.
func (w Workspace) reached(path string, list []guarded) (guarded, bool) {
	for _, g := range list {
		if (w.Write || g.reading) && within(g.path, path) || g.reading && within(path, g.path) {
			return g, true
		}
	}
	return guarded{}, false
}

const whyGuarded = "the plugin could give itself more rights, or read secrets; name a folder without it"

// guard refuses workspaces that reach what is guarded, as far as paths as they
// are written tell.
func (d *decoder) guard(p *Policy) {
	p.guarded = d.guardedPaths(p)
	for _, plugin := range p.plugins {
		for _, w := range plugin.workspaces {
			if g, ok := w.reached(w.Path, p.guarded); ok && w.Path != "" {
				d.errorf(w.at, fmt.Sprintf("workspace %q reaches %s", w.Name, g.what), "That is at %s: %s.", g.path, whyGuarded)
			}
		}
	}
}

// staysWithin says whether a workspace on whose way a name is looked up in the writable
// workspace of a plugin still lies in that one where it leads to. Neither of the two need
// be written by way of the other.
//
// Attack: a native plugin with the workspace /srv puts a link to somebody's home in the
// place of /srv/public, which is the workspace of another plugin, its accomplice.
func (p *Policy) staysWithin(w Workspace, real string) error {
	var folders []string
	for _, plugin := range p.plugins {
		for _, o := range plugin.workspaces {
			if !o.Write {
				continue
			}
			around, err := filepath.EvalSymlinks(o.Path)
			if err != nil && within(w.Path, o.Path) {
				return fmt.Errorf("%s: workspace %q: %w", o.DeclRange(), o.Name, err)
			}
			if err != nil || within(real, around) {
				continue // it cannot be opened, or all is well
			}
			if folders == nil {
				if folders, err = foldersOnTheWay(w.Path); err != nil {
					return fmt.Errorf("%s: workspace %q: %w", w.DeclRange(), w.Name, err)
				}
			}
			if slices.ContainsFunc(folders, func(f string) bool { return within(f, around) }) {
				return fmt.Errorf("%s: workspace %q leads to %s, out of the workspace %q of plugin %q that it lies in (%s), where that plugin can put links: name a folder of its own",
					w.DeclRange(), w.Name, real, o.Name, plugin.name, o.DeclRange())
			}
		}
	}
	return nil
}

// maxLinks is how many symbolic links may be on the way to a workspace.
const maxLinks = 255

// foldersOnTheWay are the folders in which the names of a path are looked up, those of
// its symbolic links included. They are paths without links.
func foldersOnTheWay(path string) (folders []string, err error) {
	const separator = string(filepath.Separator)
	root := filepath.VolumeName(path) + separator
	at, rest := root, strings.Split(path[len(root)-1:], separator)
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == "" || name == "." || name == ".." {
			at = filepath.Join(at, name)
			continue
		}
		folders = append(folders, at)
		here := filepath.Join(at, name)
		info, err := os.Lstat(here)
		if err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = here
			continue
		}
		target, err := os.Readlink(here)
		if err != nil {
			return nil, err
		}
		if links++; links > maxLinks {
			return nil, fmt.Errorf("%s: more than %d symbolic links are on the way", path, maxLinks)
		}
		if filepath.IsAbs(target) {
			at = root
		}
		rest = append(strings.Split(target, separator), rest...)
	}
	return folders, nil
}

// CheckWorkspace says whether a workspace whose path leads to real, by way of
// whatever symbolic links, gives away what no plugin may reach, or leaves what
// another plugin may write. Links of the guarded files are followed too, where they
// exist.
func (p *Policy) CheckWorkspace(w Workspace, real string) error {
	if err := p.staysWithin(w, real); err != nil {
		return err
	}
	for _, g := range p.guarded {
		if path, err := filepath.EvalSymlinks(g.path); err == nil {
			g.path = path
		}
		if _, ok := w.reached(real, []guarded{g}); ok {
			return fmt.Errorf("%s: workspace %q leads to %s, which reaches %s at %s: %s", w.DeclRange(), w.Name, real, g.what, g.path, whyGuarded)
		}
	}
	return nil
}

// within reports whether a clean absolute path is dir or lies below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
