package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"
)

// GetFileArgs are the arguments of get_file.
type GetFileArgs struct {
	Repository
	Path     string `json:"path,omitempty" description:"from the repository's root; the root itself if left out"`
	Ref      string `json:"ref,omitempty" description:"a branch, tag or commit; the default branch if left out"`
	MaxBytes int    `json:"max_bytes" description:"bytes of the file to return" default:"100000" minimum:"1" maximum:"10485760"`
}

// File is a file, a directory or what else a path can name.
type File struct {
	Type      string  `json:"type" description:"file, directory, symlink or submodule"`
	Path      string  `json:"path"`
	SHA       string  `json:"sha,omitempty"`
	Size      int64   `json:"size" description:"of the whole file in bytes"`
	Encoding  string  `json:"encoding,omitempty" enum:"utf-8,base64" description:"of the content: base64 if the file is not text"`
	Content   string  `json:"content,omitempty"`
	Truncated bool    `json:"truncated,omitempty" description:"true if the content was cut at max_bytes"`
	Entries   []Entry `json:"entries,omitempty" description:"of a directory, at most 1000"`
	Target    string  `json:"target,omitempty" description:"where a symlink leads, or the address of a submodule's repository"`
	URL       string  `json:"url,omitempty"`
}

// Entry is one thing in a directory.
type Entry struct {
	Name string `json:"name"`
	Type string `json:"type" description:"file, directory, symlink or submodule"`
	Size int64  `json:"size"`
}

type apiContent struct {
	Type            string // file, dir, symlink, submodule
	Name            string
	Path            string
	SHA             string
	Size            int64
	Encoding        string // base64, or none for a file of more than 1 MB
	Content         string // base64 in lines
	Target          string
	SubmoduleGitURL *string `json:"submodule_git_url"`
	GitURL          string  `json:"git_url"`
	HTMLURL         string  `json:"html_url"`
}

func getFile(args GetFileArgs) (File, error) {
	base, err := args.path()
	if err != nil {
		return File{}, err
	}
	path, err := escapePath(args.Path)
	if err != nil {
		return File{}, err
	}
	address := base + "/contents" + path
	query := url.Values{}
	set(query, "ref", args.Ref)
	what := fmt.Sprintf("%q in %s/%s", args.Path, args.Owner, args.Repo)
	var answer json.RawMessage
	if _, err := get(what, address, query, &answer); err != nil {
		return File{}, err
	}
	if answer = bytes.TrimSpace(answer); answer[0] == '[' {
		return directory(args.Path, answer)
	}
	var c apiContent
	if err := json.Unmarshal(answer, &c); err != nil {
		return File{}, fmt.Errorf("%s: unexpected answer: %w", what, err)
	}
	file := File{Type: c.kind(), Path: c.Path, SHA: c.SHA, Size: c.Size, URL: c.HTMLURL, Target: c.Target}
	switch {
	case file.Type == "submodule":
		if c.SubmoduleGitURL != nil {
			file.Target = *c.SubmoduleGitURL
		}
		return file, nil
	case file.Type != "file":
		return file, nil
	case c.Encoding == "base64" && (c.Content != "" || c.Size == 0):
		content, err := base64.StdEncoding.DecodeString(c.Content) // it skips line breaks
		if err != nil {
			return File{}, fmt.Errorf("%s: its content is not base64: %w", what, err)
		}
		file.fill(content, args.MaxBytes)
		return file, nil
	}
	content, err := raw(what, address, query, args.MaxBytes)
	file.fill(content, args.MaxBytes)
	return file, err
}

// raw reads the start of a file that is too large to come inside JSON.
func raw(what, address string, query url.Values, maxBytes int) ([]byte, error) {
	response, err := request(what, address, query, mediaRaw)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, int64(maxBytes)+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return content, nil
}

// fill puts in content, cut at maxBytes, as text if it is text.
func (f *File) fill(content []byte, maxBytes int) {
	if len(content) > maxBytes {
		content, f.Truncated = content[:maxBytes], true
	}
	text := content
	if f.Truncated {
		// Do not take a cut character for a sign of binary data.
		for range utf8.UTFMax - 1 {
			if r, size := utf8.DecodeLastRune(text); r != utf8.RuneError || size != 1 {
				break
			}
			text = text[:len(text)-1]
		}
	}
	if utf8.Valid(text) && bytes.IndexByte(text, 0) < 0 {
		f.Encoding, f.Content = "utf-8", string(text)
		return
	}
	f.Encoding, f.Content = "base64", base64.StdEncoding.EncodeToString(content)
}

func directory(path string, answer json.RawMessage) (File, error) {
	var listed []apiContent
	if err := json.Unmarshal(answer, &listed); err != nil {
		return File{}, fmt.Errorf("%q: unexpected answer: %w", path, err)
	}
	file := File{Type: "directory", Path: path}
	for i := range listed {
		file.Entries = append(file.Entries, Entry{listed[i].Name, listed[i].kind(), listed[i].Size})
	}
	return file, nil
}

// kind names the type in full. In the list of a directory the API calls a
// submodule a file; it is told by its git address, which is that of a tree.
func (c *apiContent) kind() string {
	switch {
	case c.Type == "dir":
		return "directory"
	case c.Type == "file" && strings.Contains(c.GitURL, "/git/trees/"):
		return "submodule"
	}
	return c.Type
}
