package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// ReadArgs are the arguments of read.
type ReadArgs struct {
	Name     string `json:"name"`
	Start    int    `json:"start" description:"the character to begin with: the next of an earlier answer, else 0" default:"0" minimum:"0"`
	MaxChars int    `json:"max_chars" description:"how many characters to return" default:"20000" minimum:"100" maximum:"1000000"`
}

// ReadResult is a note or a part of it.
type ReadResult struct {
	Name  string `json:"name"`
	Text  string `json:"text"`
	Chars int    `json:"chars" description:"of the whole note"`
	Next  int    `json:"next,omitempty" description:"the start of the rest, if there is more"`
}

func read(args ReadArgs) (ReadResult, error) {
	name, err := file(args.Name)
	if err != nil {
		return ReadResult{}, err
	}
	content, err := contentOf(workspace(), name)
	if err != nil {
		return ReadResult{}, err
	}
	text := []rune(strings.ToValidUTF8(string(content), "\ufffd"))
	if args.Start > 0 && args.Start >= len(text) {
		return ReadResult{}, guest.InvalidArgs(fmt.Errorf("start: the note has %d characters; %d is beyond its end", len(text), args.Start))
	}
	result := ReadResult{Name: strings.TrimSuffix(name, extension), Chars: len(text)}
	end := len(text)
	if end-args.Start > args.MaxChars {
		end = args.Start + args.MaxChars
		result.Next = end
	}
	result.Text = string(text[args.Start:end])
	return result, nil
}

// contentOf reads a note that is not too large.
func contentOf(folder *guest.Folder, name string) ([]byte, error) {
	info, err := folder.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, noSuch(folder, name)
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%q is a folder, not a note", name)
	case info.Size() > maxNote:
		return nil, fmt.Errorf("the note %q has %d bytes (maximum %d)", strings.TrimSuffix(name, extension), info.Size(), maxNote)
	}
	content, err := folder.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noSuch(folder, name)
	}
	return content, err
}

// CreateArgs are the arguments of create.
type CreateArgs struct {
	Title  string `json:"title" description:"the heading; the note's name is made of it"`
	Text   string `json:"text" description:"Markdown, without the heading"`
	Folder string `json:"folder,omitempty" description:"where to put it; it is made if it is not there"`
}

// Written is a note that was written to.
type Written struct {
	Name  string `json:"name" description:"what read and append take"`
	Bytes int    `json:"bytes" description:"that were written"`
}

func create(args CreateArgs) (Written, error) {
	title := strings.Join(strings.Fields(args.Title), " ")
	slug := slugOf(title)
	if slug == "" {
		return Written{}, guest.InvalidArgs(fmt.Errorf("title: %q has no letter or digit to make a name of", args.Title))
	}
	name, err := file(path.Join(strings.Trim(strings.TrimSpace(args.Folder), "/"), slug))
	if err != nil {
		return Written{}, err
	}
	text := "# " + title + "\n"
	if body := strings.Trim(args.Text, "\n"); body != "" {
		text += "\n" + body + "\n"
	}
	if len(text) > maxNote {
		return Written{}, guest.InvalidArgs(fmt.Errorf("text: the note would have %d bytes (maximum %d)", len(text), maxNote))
	}
	err = workspace().Create(name, []byte(text))
	if errors.Is(err, fs.ErrExist) {
		return Written{}, fmt.Errorf("there is already a note %q: read it, append to it, or choose another title", strings.TrimSuffix(name, extension))
	}
	if err != nil {
		return Written{}, err
	}
	return Written{strings.TrimSuffix(name, extension), len(text)}, nil
}

// AppendArgs are the arguments of append.
type AppendArgs struct {
	Name string `json:"name"`
	Text string `json:"text" description:"Markdown, which becomes a paragraph of its own"`
}

// appendTo adds in one step, so that nothing that others add is lost. Only how many
// empty lines there are before it depends on what was there when it looked.
func appendTo(args AppendArgs) (Written, error) {
	name, err := file(args.Name)
	if err != nil {
		return Written{}, err
	}
	body := strings.Trim(args.Text, "\n")
	if strings.TrimSpace(body) == "" {
		return Written{}, guest.InvalidArgs(errors.New("text: there is nothing in it"))
	}
	folder := workspace()
	old, err := contentOf(folder, name)
	if err != nil {
		return Written{}, err
	}
	text := "\n" + body + "\n"
	if len(old) > 0 && old[len(old)-1] != '\n' {
		text = "\n" + text
	}
	if len(old)+len(text) > maxNote {
		return Written{}, guest.InvalidArgs(fmt.Errorf("text: the note would have %d bytes (maximum %d)", len(old)+len(text), maxNote))
	}
	if err := folder.Append(name, []byte(text)); err != nil {
		return Written{}, err
	}
	return Written{strings.TrimSuffix(name, extension), len(text)}, nil
}

// slugOf makes a file's name of a title: small letters and digits of any script,
// with hyphens between words.
func slugOf(title string) string {
	var out strings.Builder
	gap := false
	for _, r := range strings.ToLower(title) {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			gap = true
			continue
		}
		if gap && out.Len() > 0 {
			out.WriteByte('-')
		}
		if gap = false; out.Len() > 100 {
			break
		}
		out.WriteRune(r)
	}
	return strings.Trim(out.String(), "-")
}
