package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// Repository names where to look. It is embedded in the arguments of most tools.
type Repository struct {
	Owner string `json:"owner" description:"the user or organisation, such as golang"`
	Repo  string `json:"repo" description:"the repository's name, such as go"`
}

// path is the start of the repository's API paths. What the caller says must
// not lead to another path, whatever the policy would think of that one.
func (r Repository) path() (string, error) {
	if !made(r.Owner, "-_") {
		return "", guest.InvalidArgs(fmt.Errorf("owner: %q is not the name of a user or organisation", r.Owner))
	}
	if !made(r.Repo, "-_.") || r.Repo == "." || r.Repo == ".." {
		return "", guest.InvalidArgs(fmt.Errorf("repo: %q is not the name of a repository (only the part after the slash)", r.Repo))
	}
	return "/repos/" + r.Owner + "/" + r.Repo, nil
}

// made reports whether a name is made of letters, digits and the extra bytes.
func made(name, extra string) bool {
	for _, c := range []byte(name) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return name != "" && len(name) <= 100
}

// escapePath makes a file's path part of a URL, segment by segment.
func escapePath(path string) (string, error) {
	path = strings.Trim(path, "/")
	if path == "" {
		return "", nil
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, isControl) {
			return "", guest.InvalidArgs(fmt.Errorf("path: %q has the segment %q; give the path from the repository's root", path, segment))
		}
		segments[i] = url.PathEscape(segment)
	}
	return "/" + strings.Join(segments, "/"), nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
