package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

const (
	extension = ".md"
	maxNotes  = 5000     // that are looked at
	maxNote   = 1 << 20  // bytes of one
	maxSearch = 32 << 20 // bytes that one search reads
	maxDepth  = 32       // folders within folders
)

func init() {
	guest.Tool("list", "Lists Markdown notes, those that changed last first.", list, guest.Title("List notes"), guest.ReadOnly(), guest.ClosedWorld())
	guest.Tool("search", "Searches the full text of all notes. A note matches if each word is somewhere in its name or text; the best matches come first, with the lines that match.",
		search, guest.Title("Search notes"), guest.ReadOnly(), guest.ClosedWorld())
	guest.Tool("read", "Reads a note. Long notes come in parts: call again with start set to next.", read, guest.Title("Read a note"), guest.ReadOnly(), guest.ClosedWorld())
	guest.Tool("create", "Creates a note with a title and a text in Markdown. It never replaces a note.", create, guest.Title("Create a note"), guest.Additive(), guest.ClosedWorld())
	guest.Tool("append", "Adds Markdown to the end of a note. What others add at the same time is kept.", appendTo, guest.Title("Append to a note"), guest.Additive(), guest.ClosedWorld())
}

func main() {}

// Note is one note of the folder.
type Note struct {
	Name    string    `json:"name" description:"what read and append take"`
	Changed time.Time `json:"changed"`
	Bytes   int64     `json:"bytes"`
}

// workspace is the folder that the policy grants.
func workspace() *guest.Folder {
	return guest.Workspace(cmp.Or(os.Getenv("NOTES_WORKSPACE"), "notes"))
}

// all finds the notes of a folder and those below it. more says that there are too
// many to look at all.
func all(folder *guest.Folder, in string) (notes []Note, more bool, err error) {
	notes = []Note{}
	err = fs.WalkDir(folder, in, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != in:
			return nil // gone meanwhile
		case err != nil:
			return err
		case entry.IsDir() && strings.Count(name, "/") >= maxDepth:
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != extension:
			return nil
		case len(notes) == maxNotes:
			more = true
			return fs.SkipAll
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			notes = append(notes, Note{strings.TrimSuffix(name, extension), info.ModTime().UTC(), info.Size()})
		}
		return err
	})
	slices.SortStableFunc(notes, func(a, b Note) int { return b.Changed.Compare(a.Changed) })
	return notes, more, err
}

// file is the file of a note, which a caller may name with the ending or without.
func file(name string) (string, error) {
	clean := strings.TrimSuffix(strings.TrimSpace(name), extension)
	if clean == "" || clean == "." || !fs.ValidPath(clean) {
		return "", guest.InvalidArgs(fmt.Errorf("name: %q is not the name of a note, such as ideas or work/ideas", name))
	}
	return clean + extension, nil
}

// noSuch is the error for a note that is not there, with the nearest that are.
func noSuch(folder *guest.Folder, name string) error {
	near := []string{}
	if notes, _, err := all(folder, "."); err == nil {
		wanted := strings.ToLower(path.Base(strings.TrimSuffix(name, extension)))
		for _, n := range notes {
			if base := strings.ToLower(path.Base(n.Name)); len(near) < 3 && (strings.Contains(base, wanted) || strings.Contains(wanted, base)) {
				near = append(near, n.Name)
			}
		}
	}
	text := fmt.Sprintf("there is no note %q", strings.TrimSuffix(name, extension))
	if len(near) > 0 {
		text += fmt.Sprintf("; there is %q", near)
	}
	return errors.New(text)
}

// ListArgs are the arguments of list.
type ListArgs struct {
	Folder string `json:"folder,omitempty" description:"only notes of this folder and those below it"`
	Limit  int    `json:"limit" description:"how many at most" default:"50" minimum:"1" maximum:"1000"`
}

// ListResult is what list answers.
type ListResult struct {
	Notes []Note `json:"notes"`
	Total int    `json:"total" description:"how many there are"`
	More  bool   `json:"more,omitempty" description:"true if there are more than are counted (5000)"`
}

func list(args ListArgs) (ListResult, error) {
	in := cmp.Or(strings.Trim(strings.TrimSpace(args.Folder), "/"), ".")
	if !fs.ValidPath(in) {
		return ListResult{}, guest.InvalidArgs(fmt.Errorf("folder: %q is not the name of a folder", args.Folder))
	}
	notes, more, err := all(workspace(), in)
	if errors.Is(err, fs.ErrNotExist) {
		return ListResult{}, fmt.Errorf("there is no folder %q", in)
	}
	if err != nil {
		return ListResult{}, err
	}
	return ListResult{notes[:min(len(notes), args.Limit)], len(notes), more}, nil
}
