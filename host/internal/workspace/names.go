package workspace

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxPath  = 1024 // bytes
	maxName  = 255  // bytes, as most file systems have it
	maxDepth = 32   // folders
)

// parse splits a guest's path. "" and "." are the folder itself.
func parse(p string) ([]string, error) {
	if p == "" || p == "." {
		return nil, nil
	}
	if len(p) > maxPath {
		return nil, fmt.Errorf("%w: %d bytes (maximum %d)", ErrPath, len(p), maxPath)
	}
	names := strings.Split(strings.TrimSuffix(p, "/"), "/")
	if len(names) > maxDepth {
		return nil, fmt.Errorf("%w: %d folders deep (maximum %d)", ErrPath, len(names), maxDepth)
	}
	for _, n := range names {
		switch {
		case n == "" || n == "." || n == "..":
			return nil, fmt.Errorf("%w: %q: want names between slashes, relative to the workspace", ErrPath, p)
		case len(n) > maxName:
			return nil, fmt.Errorf("%w: a name of %d bytes (maximum %d)", ErrPath, len(n), maxName)
		case !utf8.ValidString(n) || strings.ContainsFunc(n, func(r rune) bool { return r == '\\' || !unicode.IsPrint(r) }):
			return nil, fmt.Errorf("%w: %q: want printable UTF-8 without backslashes", ErrPath, p)
		}
	}
	return names, nil
}

// sensitive are names that a tool is not given because it was given the folder:
// credentials, keys, and the history that both are found in after they have been
// removed. Case does not count, since for some file systems it does not.
var sensitive = []string{
	".git", ".hg", ".svn", ".bzr", ".jj",
	".env", ".env.*", "*.env", ".envrc",
	".ssh", ".gnupg", ".aws", ".azure", ".gcloud", ".kube", ".docker", ".password-store",
	".netrc", "_netrc", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pypirc", ".pgpass", ".my.cnf", ".git-credentials", ".terraformrc", ".vault-token",
	"id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk",
	"*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.asc", "*.gpg", "*.age",
	"*.tfstate", "*.tfstate.*", "credentials.json", "service-account*.json",
}

// temporary begins the names of files that are being written.
const temporary = ".ringfence-"

// served says whether the last of the names may be seen, its parents being so.
// Who named a folder named what is in it too.
func (w *Workspace) served(names []string) bool {
	for i := range names {
		if w.included(names[:i+1]) {
			return true
		}
	}
	if len(names) == 0 {
		return true
	}
	last := strings.ToLower(names[len(names)-1])
	if strings.HasPrefix(last, temporary) {
		return false
	}
	for _, pattern := range sensitive {
		if ok, _ := path.Match(pattern, last); ok {
			return false
		}
	}
	return true
}

// included says whether the policy names this path, whole or by its last name.
func (w *Workspace) included(names []string) bool {
	whole, last := strings.Join(names, "/"), names[len(names)-1]
	if strings.HasPrefix(strings.ToLower(last), temporary) {
		return false
	}
	for _, pattern := range w.cfg.Include {
		if ok, _ := path.Match(pattern, whole); ok {
			return true
		}
		if ok, _ := path.Match(pattern, last); ok && !strings.Contains(pattern, "/") {
			return true
		}
	}
	return false
}

// Admits says whether the policy lets a path be read, or changed, before anything
// is looked at.
func (w *Workspace) Admits(p string, change bool) error {
	if change && !w.cfg.Write {
		return fmt.Errorf("%w: the policy grants access = \"read\"", ErrReadOnly)
	}
	names, err := parse(p)
	if err != nil {
		return err
	}
	for i := range names {
		if !w.served(names[:i+1]) {
			return fmt.Errorf("%w: %q: keys, environment files and version control are not served unless the policy names them", ErrRefused, p)
		}
	}
	return nil
}

// uncovers says whether what is refused could become served in a folder of that
// path.
//
// Attack: the policy names public/*.pem, and a plugin calls the folder of the keys
// "public".
func (w *Workspace) uncovers(names []string) bool {
	for _, pattern := range w.cfg.Include {
		if strings.Contains(pattern, "/") {
			return true
		}
	}
	for i := range names {
		if w.included(names[:i+1]) {
			return true
		}
	}
	return false
}
