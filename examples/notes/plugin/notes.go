package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/guest"
)

const (
	extension = ".md"
	maxNotes  = 10_000
	maxNote   = 1 << 20 // bytes that are read of one
)

// Note is one file of the folder.
type Note struct {
	Name    string    `json:"name" description:"what read takes"`
	Changed time.Time `json:"changed"`
	Bytes   int64     `json:"bytes"`
}

// open opens the folder, so that no name leads out of it: not for the host's
// sake, whose jail sees to that, but to answer a wrong name with a clear error.
func open() (*os.Root, error) {
	dir, err := pluginkit.Workspace("notes")
	if err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

type ListArgs struct {
	Limit int `json:"limit" description:"how many at most" minimum:"1" maximum:"1000" default:"50"`
}

type ListResult struct {
	Notes []Note `json:"notes"`
	Total int    `json:"total" description:"how many there are"`
}

func list(ctx context.Context, args ListArgs) (ListResult, error) {
	root, err := open()
	if err != nil {
		return ListResult{}, err
	}
	defer root.Close()
	notes, err := all(ctx, root)
	if err != nil {
		return ListResult{}, err
	}
	return ListResult{Notes: notes[:min(len(notes), args.Limit)], Total: len(notes)}, nil
}

// all finds the notes of the folder and those below it.
func all(ctx context.Context, root *os.Root) ([]Note, error) {
	notes := []Note{}
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !entry.Type().IsRegular() || path.Ext(name) != extension:
			return nil
		case len(notes) == maxNotes:
			return fmt.Errorf("the folder has more than %d notes", maxNotes)
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile
		}
		if err == nil {
			notes = append(notes, Note{Name: strings.TrimSuffix(name, extension), Changed: info.ModTime().UTC(), Bytes: info.Size()})
		}
		return err
	})
	slices.SortStableFunc(notes, func(a, b Note) int { return b.Changed.Compare(a.Changed) })
	return notes, err
}

type SearchArgs struct {
	Words []string `json:"words" description:"all of them must be in the line"`
	Limit int      `json:"limit" description:"how many lines at most" minimum:"1" maximum:"1000" default:"20"`
}

type Match struct {
	Name string `json:"name"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

type SearchResult struct {
	Matches []Match `json:"matches"`
	More    bool    `json:"more" description:"there are more than the limit"`
}

func search(ctx context.Context, args SearchArgs) (SearchResult, error) {
	result := SearchResult{Matches: []Match{}}
	if len(args.Words) == 0 {
		return result, guest.InvalidArgs(errors.New("words is empty: what to look for?"))
	}
	words := make([]string, len(args.Words))
	for i, w := range args.Words {
		words[i] = strings.ToLower(w)
	}
	root, err := open()
	if err != nil {
		return result, err
	}
	defer root.Close()
	notes, err := all(ctx, root)
	for _, note := range notes {
		if err != nil || result.More {
			break
		}
		err = scan(ctx, root, note.Name, words, args.Limit, &result)
	}
	return result, err
}

// scan adds what matches in one note.
func scan(ctx context.Context, root *os.Root, name string, words []string, limit int, result *SearchResult) error {
	f, err := root.Open(name + extension)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxNote))
	lines.Buffer(nil, maxNote)
	for n := 1; lines.Scan(); n++ {
		lower := strings.ToLower(lines.Text())
		if slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(lower, w) }) {
			continue
		}
		if result.More = len(result.Matches) == limit; result.More {
			return nil
		}
		result.Matches = append(result.Matches, Match{name, n, strings.ToValidUTF8(lines.Text(), "�")})
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return lines.Err()
}

type ReadArgs struct {
	Name string `json:"name" description:"as list and search give it"`
}

type ReadResult struct {
	Text string `json:"text"`
	Cut  bool   `json:"cut" description:"only the first MiB is here"`
}

func read(_ context.Context, args ReadArgs) (ReadResult, error) {
	root, err := open()
	if err != nil {
		return ReadResult{}, err
	}
	defer root.Close()
	f, err := root.Open(args.Name + extension)
	if errors.Is(err, fs.ErrNotExist) {
		return ReadResult{}, guest.InvalidArgs(fmt.Errorf("there is no note %q", args.Name))
	}
	if err != nil {
		return ReadResult{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxNote+1))
	cut := len(b) > maxNote
	return ReadResult{Text: strings.ToValidUTF8(string(b[:min(len(b), maxNote)]), "�"), Cut: cut}, err
}

type AddArgs struct {
	Title string `json:"title" description:"becomes the name and the heading"`
	Text  string `json:"text" description:"Markdown"`
}

func add(ctx context.Context, args AddArgs) (Note, error) {
	name := slug(args.Title)
	if name == "" {
		return Note{}, guest.InvalidArgs(fmt.Errorf("the title %q has no letter or digit to name a file with", args.Title))
	}
	root, err := open()
	if err != nil {
		return Note{}, err
	}
	defer root.Close()
	f, err := root.OpenFile(name+extension, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return Note{}, guest.InvalidArgs(fmt.Errorf("there is a note %q already", name))
	}
	if err != nil {
		return Note{}, err
	}
	_, err = fmt.Fprintf(f, "# %s\n\n%s\n", strings.Join(strings.Fields(args.Title), " "), strings.TrimSpace(args.Text))
	info, err2 := f.Stat()
	if err := errors.Join(err, err2, f.Close()); err != nil {
		return Note{}, errors.Join(err, root.Remove(name+extension)) // no half of a note
	}
	guest.LogContext(ctx, guest.LevelInfo, "added", "note", name, "bytes", info.Size())
	return Note{Name: name, Changed: info.ModTime().UTC(), Bytes: info.Size()}, nil
}

// slug makes a file name of a title: letters and digits, with a dash between
// words, at most 60 bytes.
func slug(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	name := ""
	for _, w := range words {
		if len(name)+len(w)+1 > 60 {
			break
		}
		name = strings.TrimPrefix(name+"-"+w, "-")
	}
	return name
}
