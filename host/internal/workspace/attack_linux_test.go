package workspace

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/waiting"
)

// every request on a path must be refused.
func (w *world) refused(path string, want error) {
	w.t.Helper()
	_, err := w.read(path)
	w.wantErr(err, want)
	_, err = w.open.Stat(path)
	w.wantErr(err, want)
	_, err = w.open.Write(context.Background(), path, bytesOf([]byte("x")), If{})
	w.wantErr(err, want)
	_, err = w.open.Append(context.Background(), path, bytesOf([]byte("x")), If{})
	w.wantErr(err, want)
	w.wantErr(w.open.Rename(context.Background(), path, "elsewhere"), want)
	w.wantErr(w.open.Remove(context.Background(), path, If{}), want)
	w.put("source", "x")
	if err := w.open.Rename(context.Background(), "source", path); err == nil {
		w.t.Errorf("%q was replaced", path)
	}
}

func TestBadPaths(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	for _, p := range []string{
		"../outside/secret", "a/../../outside/secret", "/etc/passwd", "a//b", "./a", "a/.", "..", "a/..",
		"nul\x00", "line\nbreak", "esc\x1b[2J", "back\\slash", "\xff\xfe", "rtl\u202e", strings.Repeat("n", 256),
		strings.Repeat("d/", 33) + "f", strings.Repeat("long/", 300),
	} {
		w.refused(p, ErrPath)
	}
	for _, change := range []func() error{
		func() error { return w.open.Remove(context.Background(), "", If{}) },
		func() error { return w.open.Rename(context.Background(), "", "a") },
		func() error { _, err := w.open.Write(context.Background(), ".", bytesOf(nil), If{}); return err },
	} {
		w.wantErr(change(), ErrPath)
	}
}

// What is no plain file or folder is not served, and opening it must not hang.
func TestOnlyFilesAndFolders(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	at := func(name string) string { return filepath.Join(w.dir, name) }
	w.put("real/file", "x")
	for name, err := range map[string]error{
		"link out":     os.Symlink("../outside/secret", at("link out")),
		"link rooted":  os.Symlink(filepath.Join(w.out, "secret"), at("link rooted")),
		"link inside":  os.Symlink("real/file", at("link inside")),
		"link dangles": os.Symlink("nowhere", at("link dangles")),
		"link loops":   os.Symlink("link loops", at("link loops")),
		"pipe":         syscall.Mkfifo(at("pipe"), 0o666),
		"hard":         os.Link(filepath.Join(w.out, "secret"), at("hard")),
	} {
		if err != nil {
			t.Fatal(err)
		}
		w.refused(name, ErrRefused)
	}
	if err := os.Symlink("../outside", at("dir out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", at("dir inside")); err != nil {
		t.Fatal(err)
	}
	w.refused("dir out/secret", ErrRefused)
	w.refused("dir inside/file", ErrRefused)
	_, err := w.open.Write(context.Background(), "dir out/new", bytesOf([]byte("x")), If{})
	w.wantErr(err, ErrRefused)
	_, _, err = w.open.List(context.Background(), "dir out", "", 10)
	w.wantErr(err, ErrRefused)
	_, err = w.read("real")
	w.wantErr(err, ErrKind)
	_, err = w.open.Write(context.Background(), "real", bytesOf(nil), If{})
	w.wantErr(err, ErrKind)
	_, err = w.read("real/file/below")
	w.wantErr(err, ErrKind)
	if err := syscall.Mknod(at("device"), syscall.S_IFCHR|0o666, 1<<8|3); err == nil {
		w.refused("device", ErrRefused)
	} else {
		t.Logf("no device to try: %v", err)
	}
	list, _, err := w.open.List(context.Background(), "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Name != "real" && e.Name != "source" && e.Name != "elsewhere" {
			t.Errorf("listed: %+v", e)
		}
	}
}

func TestAnotherFileSystemIsNotServed(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	w.put("mounted/below", "x")
	at := filepath.Join(w.dir, "mounted")
	if err := unix.Mount("none", at, "tmpfs", 0, ""); err != nil {
		t.Skipf("not tried, since this user may not mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	w.put("mounted/file", "x")
	w.refused("mounted/file", ErrRefused)
}

func TestSensitiveFilesAreNotServed(t *testing.T) {
	w := newWorld(t, Config{Write: true, Include: []string{"public/*.pem", ".envrc", "vendor/.git"}})
	for _, p := range []string{
		".git/config", "sub/.git/config", ".GIT/config", ".env", ".env.local", "prod.env", ".Env", "sub/.ssh/id_ed25519",
		"id_rsa", "server.pem", "KEY.PEM", "a.key", ".netrc", "x.tfstate", "other/public/x.pem", ".ringfence-x",
	} {
		w.put(p, "key")
		w.refused(p, ErrRefused)
	}
	w.put("vendor/.git/.ringfence-x", "half")
	w.refused("vendor/.git/.ringfence-x", ErrRefused)
	for _, p := range []string{"public/ca.pem", ".envrc", "sub/.envrc", "vendor/.git/config", "environment", "monkey", "key", ".gitignore"} {
		w.put(p, "named")
		if got, err := w.read(p); got != "named" || err != nil {
			t.Errorf("%s: %q, %v", p, got, err)
		}
	}
	list, _, err := w.open.List(context.Background(), "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if n := strings.ToLower(e.Name); n == ".git" || n == ".env" || strings.HasSuffix(n, ".pem") || strings.HasPrefix(n, temporary) {
			t.Errorf("listed: %s", e.Name)
		}
	}
}

// What some file system takes for a name on the list is refused under every file system.
func TestNamesThatAFileSystemTakesForOthers(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	for name, path := range map[string]string{
		"capitals":               ".SSH/config",
		"a long s":               ".\u017f\u017fh/config",
		"the sign for Kelvin":    "server.\u212aey",
		"full width":             "\uff0e\uff47\uff49\uff54/config",
		"an invisible joiner":    ".gi\u034ft/config",
		"a variation selector":   ".env\ufe0f",
		"a Hangul filler":        ".e\u3164nv",
		"a dot behind it":        ".git./config",
		"dots and a space":       ".env.. ",
		"a stream of NTFS":       ".env::$DATA",
		"the stream of a folder": ".git:$I30:$INDEX_ALLOCATION/config",
		"a short name":           "GIT~1/config",
		"a short name of a file": "CREDEN~1.JSO",
		"the host's own, folded": ".RINGFENCE-x",
		"a port":                 "localhost:8443.key",
		"a port, full width":     "localhost\uff1a8443.key",
		"a folder and a port":    "host:backup.git/config",
		"a sign with a slash":    "\u2105.pem",
		"a slash, full width":    "servers\uff0fprod.env",
	} {
		w.put(path, "key")
		if _, err := w.read(path); !errors.Is(err, ErrRefused) && !errors.Is(err, ErrPath) {
			t.Errorf("%s: %q: %v", name, path, err)
		}
	}
	for _, path := range []string{"notes~.md", "a~b.txt", "12:30 tea.md", "straße.md", "ключ.md"} {
		w.put(path, "served")
		if got, err := w.read(path); got != "served" || err != nil {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
}

// A link on the way to the workspace leads to another one, whenever it was put there.
func TestThePathOfAWorkspaceHasNoLinks(t *testing.T) {
	w := newWorld(t, Config{})
	w.put("a/b/file", "x")
	if err := os.Symlink("a", filepath.Join(w.dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("b", filepath.Join(w.dir, "a/last")); err != nil {
		t.Fatal(err)
	}
	for path, good := range map[string]bool{"a/b": true, "link/b": false, "a/last": false, "link": false} {
		open, err := Open(Config{Path: filepath.Join(w.dir, path)})
		if (err == nil) != good {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			_ = open.Close()
		}
	}

	// In the moment between: the folder is exchanged again and again.
	real, other := filepath.Join(w.dir, "swap"), filepath.Join(w.dir, "other")
	w.put("swap/sub/inside", "x")
	w.put("other/sub/outside", "x")
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			_ = os.Rename(real, real+".kept")
			_ = os.Symlink(other, real)
			_ = os.Remove(real)
			_ = os.Rename(real+".kept", real)
		}
	}()
	opened := 0
	for range 3000 {
		open, err := Open(Config{Path: filepath.Join(real, "sub")})
		if err != nil {
			continue
		}
		opened++
		if _, err := open.Stat("outside"); err == nil {
			t.Fatal("the workspace is another folder")
		}
		_ = open.Close()
	}
	stop.Store(true)
	<-done
	if opened == 0 {
		t.Error("it was never opened")
	}
}

// Some files are what they are by the folder that they are in.
func TestSensitivePlaces(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	for _, path := range []string{".cargo/credentials.toml", ".Config/GH/hosts.yml", "home/.config/gcloud/access_tokens.db", "backup/project.git/config"} {
		w.put(path, "key")
		w.refused(path, ErrRefused)
	}
	for _, path := range []string{".cargo/config.toml", ".config/app/settings.toml", "gh/readme.md", "credentials/readme.md", "a/b/c/project.github"} {
		w.put(path, "served")
		if got, err := w.read(path); got != "served" || err != nil {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
	// A folder of another name would hide them no more.
	for _, folder := range []string{".config", ".cargo", "home/.config"} {
		w.wantErr(w.open.Rename(context.Background(), folder, "plain"), ErrRefused)
	}
	// Nor does a folder become such a one with what was put in before.
	w.put("plain/settings.xml", "planted")
	for _, name := range []string{".m2", "home/.M2", ".local"} {
		w.wantErr(w.open.Rename(context.Background(), "plain", name), ErrRefused)
	}
	// The workspace can be such a folder itself.
	open, err := Open(Config{Path: filepath.Join(w.dir, ".Config")})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if _, _, err := open.Read("GH/hosts.yml", 0, 10); !errors.Is(err, ErrRefused) {
		t.Errorf("in .config itself: %v", err)
	}
}

// Somebody exchanges a folder for a link to another one, and a file for a link,
// again and again. Nothing of outside, and nothing that is refused, may come, nor
// may anything be written there.
func TestExchangesLeadNowhere(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	w.put("d/secret", "inside")
	w.put(".git/secret", "refused")
	w.put("f", "inside")
	at := func(name string) string { return filepath.Join(w.dir, name) }
	for name, target := range map[string]string{"d out": "../outside", "d git": ".git", "f out": "../outside/secret", "f git": ".git/secret"} {
		if err := os.Symlink(target, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	// An open of a pipe waits for its other end.
	for _, name := range []string{"f pipe", "d pipe"} {
		if err := unix.Mkfifo(at(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; !stop.Load(); i++ {
			for _, name := range []string{"d", "f"} {
				link := at(name + []string{" out", " git", " pipe"}[i/2%3])
				if err := unix.Renameat2(unix.AT_FDCWD, at(name), unix.AT_FDCWD, link, unix.RENAME_EXCHANGE); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	defer func() { stop.Store(true); <-done }()
	came := map[string]int{}
	for range 3000 {
		for _, p := range []string{"d/secret", "f"} {
			got, err := w.read(p)
			if err == nil && got != "inside" {
				t.Fatalf("%s: read %q", p, got)
			}
			came[got]++
		}
		for _, err := range []error{
			second(w.open.Append(context.Background(), "d/secret", bytesOf(nil), If{})), second(w.open.Write(context.Background(), "d/new", bytesOf([]byte("x")), If{})), w.open.Rename(context.Background(), "d/new", "d/moved"),
		} {
			if errors.Is(err, ErrHost) {
				t.Fatal(err, Cause(err))
			}
		}
	}
	if came["inside"] == 0 || came[""] == 0 {
		t.Errorf("the exchanges never met a request: %v", came)
	}
	for _, p := range []string{".git/new", ".git/moved"} {
		if _, err := os.Lstat(at(p)); err == nil {
			t.Errorf("%s was written", p)
		}
	}
}

// An editor saves a file by putting a new one in its place. Who reads the file meanwhile
// is not taken for one who exchanges it.
func TestAFileThatIsSavedCanBeRead(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	w.put("f", "saved")
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			if err := errors.Join(os.WriteFile(filepath.Join(w.dir, "new"), []byte("saved"), 0o644), os.Rename(filepath.Join(w.dir, "new"), filepath.Join(w.dir, "f"))); err != nil {
				t.Error(err)
			}
		}
	}()
	defer func() { stop.Store(true); <-done }()
	for range 20_000 {
		if got, err := w.read("f"); got != "saved" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// A reader sees the old content or the new one, never a part.
func TestWritesAreWhole(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	content := func(c string) string { return strings.Repeat(c, 50_000) }
	w.put("f", content("a"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 100 {
			if _, err := w.open.Write(context.Background(), "f", bytesOf([]byte(content(string(rune('a'+i%26))))), If{}); err != nil {
				t.Error(err)
			}
		}
	}()
	for {
		b, err := os.ReadFile(filepath.Join(w.dir, "f"))
		if err != nil || string(b) != content(string(b[:1])) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// Whether a folder may get a name is judged for what is renamed, and not for what was
// there when the plugin asked.
func TestAFolderThatTakesAFilesPlaceIsJudged(t *testing.T) {
	w := newWorld(t, Config{Write: true, Include: []string{"public"}, Limits: Limits{LockWait: time.Hour}})
	w.put("keys/server.pem", "key")
	w.put("file", "x")
	w.wantErr(w.open.Rename(context.Background(), "keys", "public"), ErrRefused)

	release := w.held("")
	waits := waiting.New(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.open.Rename(waits, "file", "public") }()
	<-waits.Begun
	for _, move := range [][2]string{{"file", "gone"}, {"keys", "file"}} {
		if err := os.Rename(filepath.Join(w.dir, move[0]), filepath.Join(w.dir, move[1])); err != nil {
			t.Fatal(err)
		}
	}
	release()
	w.wantErr(<-ended, ErrChanged)
	if got, err := w.read("public/server.pem"); err == nil {
		t.Errorf("the key is served: %q", got)
	}
}

// Files are as private as the host's umask makes them, and stay as they were made.
func TestFilesAreAsPrivateAsTheHostSays(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	w.put("open", "x")
	if err := os.Chmod(filepath.Join(w.dir, "open"), 0o664); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{"new": 0o600, "folder/new": 0o600, "open": 0o664} {
		if _, err := w.open.Write(context.Background(), path, bytesOf([]byte("x")), If{}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(w.dir, path))
		if err != nil || info.Mode() != want {
			t.Errorf("%s has %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
	if info, err := os.Stat(filepath.Join(w.dir, "folder")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has %v, %v", info.Mode(), err)
	}
}

// A host that is root's does not make a user's file its own by saving it.
func TestAFileKeepsItsOwner(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	w.put("file", "old")
	path, uid, gid := filepath.Join(w.dir, "file"), 7001, 7002
	if err := os.Chown(path, uid, gid); err != nil {
		t.Skipf("not tried, since this user may not give files away: %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := w.open.Write(context.Background(), "file", bytesOf([]byte("new")), If{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Sys().(*syscall.Stat_t); int(s.Uid) != uid || int(s.Gid) != gid || info.Mode() != 0o640 {
		t.Errorf("it is now of %d and %d, and has %v", s.Uid, s.Gid, info.Mode())
	}
}
