package workspace

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
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
// removed. They are patterns of path.Match for the folded form of a name, or, with a
// slash and then without wildcards, of the last names of a path. docs/workspaces.md lists them for people, and a
// test compares.
var sensitive = []struct {
	what     string
	patterns []string
}{
	{"version control", []string{
		".git", "*.git", ".hg", ".svn", ".bzr", ".jj", ".pijul", ".fossil", "_darcs", "cvs", ".subversion",
	}},
	{"environment and deployment", []string{
		".env", ".env.*", "*.env", ".envrc", ".htpasswd", "*.htpasswd", "*.tfstate", "*.tfstate.*", "*.tfvars", "*.tfvars.json",
		".terraformrc", "terraform.rc", ".terraform.d/credentials.tfrc.json", "kubeconfig", "*.kubeconfig", "secrets.yml", "secrets.yaml",
	}},
	{"credentials of cloud services", []string{
		".aws", ".azure", ".gcloud", ".config/gcloud", ".config/doctl", ".config/rclone", ".oci", ".s3cfg", ".boto", ".kube", ".docker", ".dockercfg",
		".config/containers/auth.json", ".databrickscfg", ".vault-token", "rclone.conf", "credentials.json", "client_secret*.json",
		"service-account*.json", "application_default_credentials.json",
	}},
	{"credentials of tools", []string{
		".netrc", "_netrc", ".git-credentials", ".config/git/credentials", ".config/gh", ".config/hub", ".config/glab-cli",
		".npmrc", ".yarnrc", ".yarnrc.yml", ".pypirc", ".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials",
		".m2/settings.xml", ".m2/settings-security.xml", ".gradle/gradle.properties", ".composer/auth.json", ".config/composer/auth.json",
		".pgpass", ".my.cnf", ".mylogin.cnf", ".*_history",
	}},
	{"keys and certificates", []string{
		".ssh", "id_*", "*_rsa", "*_dsa", "*_ecdsa", "*_ed25519", "ssh_host_*_key", ".gnupg", ".config/age", ".config/sops",
		"*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.keytab", "*.ppk", "*.asc", "*.gpg", "*.age", "*.ovpn",
	}},
	{"passwords of people", []string{
		".password-store", "*.kdb", "*.kdbx", "*.psafe3", "*.agilekeychain", "*.opvault", ".config/op", ".local/share/keyrings",
		".mozilla", ".thunderbird", ".config/google-chrome", ".config/chromium", "key4.db", "logins.json", "cookies.sqlite", "wallet.dat",
	}},
	{"short names, by which FAT and others find any of these", []string{
		"*~[0-9]", "*~[0-9].*",
	}},
}

// fold is the form of a name in which it is compared: what the most forgiving file
// system takes for the same name has the same form.
//
// Attack: a folder lies where case does not count, and where what is invisible does
// not either (ext4 with casefold, NTFS, a share of another machine). A guest asks for
// ".Git", ".\u017fsh" with the long s, ".git" with an invisible letter or a dot behind
// it, or ".env::$DATA".
func fold(name string) string { return cutStream(foldWhole(name)) }

// cutStream is a folded name without what NTFS takes for the name of a stream.
func cutStream(folded string) string {
	name, _, _ := strings.Cut(folded, ":")
	return strings.TrimRight(name, ". ")
}

// foldWhole is fold for file systems to which a colon is a letter.
//
// Attack: the key of a server on a port, "localhost:8443.key", is called "localhost"
// where what follows a colon does not count.
func foldWhole(name string) string {
	if !isASCII(name) {
		name = foldUnicode(name)
	}
	return strings.TrimRight(strings.ToLower(name), ". ")
}

func isASCII(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// foldUnicode leaves no slash: there are letters whose compatibility form has one, such
// as the sign "care of", and no wildcard of a pattern would stand for it.
func foldUnicode(name string) string {
	name = norm.NFKC.String(strings.Map(visible, name))
	name = norm.NFKC.String(cases.Fold().String(name))
	return strings.ReplaceAll(name, "/", "_")
}

// visible drops what Unicode lets a comparison pass over
// (Default_Ignorable_Code_Point) and is not refused as unprintable already.
func visible(r rune) rune {
	if unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Cf) {
		return -1
	}
	return r
}

// listed is sensitive as it is looked up: a folder can have many names.
var listed = func() (l struct {
	exact map[string]bool
	globs []glob // none has a slash
	parts int    // of the longest pattern
}) {
	l.exact = make(map[string]bool)
	for _, kind := range sensitive {
		for _, pattern := range kind.patterns {
			if strings.ContainsAny(pattern, "*?[") {
				l.globs = append(l.globs, globs(pattern)...)
			} else {
				l.exact[pattern] = true
			}
			l.parts = max(l.parts, strings.Count(pattern, "/")+1)
		}
	}
	return l
}()

// isSensitive says whether a name is on the list, given the folded names of the path
// that ends with it.
func isSensitive(folded []string) bool {
	for n := 1; n <= min(listed.parts, len(folded)); n++ {
		if listed.exact[strings.Join(folded[len(folded)-n:], "/")] {
			return true
		}
	}
	return matches(folded[len(folded)-1])
}

// matches says whether a folded name is on the list by a pattern with wildcards.
func matches(folded string) bool {
	return slices.ContainsFunc(listed.globs, func(g glob) bool { return g.match(folded) })
}

// glob is a pattern, in pieces: between two there may be anything.
//
// Attack: a plugin fills a folder with long names, and has it listed again and again.
// path.Match looks for the end of "*.pem" at every letter of each.
type glob []string

func (g glob) match(name string) bool {
	name, begins := strings.CutPrefix(name, g[0])
	name, ends := strings.CutSuffix(name, g[len(g)-1])
	if !begins || !ends {
		return false
	}
	for _, piece := range g[1 : len(g)-1] {
		var found bool
		if _, name, found = strings.Cut(name, piece); !found {
			return false
		}
	}
	return true
}

// globs are those that a pattern stands for.
func globs(pattern string) (list []glob) {
	const digit = "[0-9]"
	if !strings.Contains(pattern, digit) {
		return []glob{strings.Split(pattern, "*")}
	}
	for n := range 10 {
		list = append(list, globs(strings.Replace(pattern, digit, strconv.Itoa(n), 1))...)
	}
	return list
}

// folded are the folded names of a path, behind those of the workspace itself: for a
// workspace that is somebody's .config, "gh" is .config/gh.
func (w *Workspace) folded(names []string) []string {
	all := append([]string(nil), w.above...)
	for _, n := range names[max(0, len(names)-listed.parts):] { // more is never looked at
		all = append(all, fold(n))
	}
	return all
}

// aboveOf are the folded last names of a workspace's own path.
func aboveOf(folder string) (names []string) {
	for _, n := range strings.Split(filepath.ToSlash(filepath.Clean(folder)), "/") {
		names = append(names, fold(n))
	}
	return names[max(0, len(names)-listed.parts):]
}

// holds says whether something in a folder of that path is on the list because of
// where it is.
//
// Attack: a plugin gives .config another name, and finds .config/gh served there. Or it
// writes settings.xml to a folder, and calls that .m2.
func (w *Workspace) holds(names []string) bool {
	folded := w.folded(names)
	for pattern := range listed.exact {
		parts := strings.Split(pattern, "/")
		for n := 1; n < len(parts) && n <= len(folded); n++ {
			if slices.Equal(parts[:n], folded[len(folded)-n:]) {
				return true
			}
		}
	}
	return false
}

// temporary begins the names of files that are being written.
const temporary = ".ringfence-"

// served says whether the last of the names may be seen, its parents being so.
// Who named a folder named what is in it too, but for files that are being written.
func (w *Workspace) served(names []string) bool {
	if len(names) == 0 {
		return true
	}
	whole := foldWhole(names[len(names)-1])
	last := cutStream(whole)
	if strings.HasPrefix(last, temporary) {
		return false
	}
	for i := range names {
		if w.included(names[:i+1]) {
			return true
		}
	}
	return !isSensitive(append(w.folded(names[:len(names)-1]), last)) && (last == whole || !matches(whole))
}

// included says whether the policy names this path, whole or by its last name.
func (w *Workspace) included(names []string) bool {
	whole, last := strings.Join(names, "/"), names[len(names)-1]
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
