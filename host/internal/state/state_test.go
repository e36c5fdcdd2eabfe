package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func open(t *testing.T, dir string, size int64) *State {
	t.Helper()
	return New(Config{Dir: dir, Owner: Owner{Name: "p"}, Size: size})
}

func TestValuesOutliveTheHost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir, 1<<20)
	if _, _, err := s.Get("k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	first, err := s.Set(context.Background(), "k", []byte("one"), If{Absent: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*State{s, open(t, dir, 1<<20)} {
		if b, e, err := s.Get("k"); string(b) != "one" || e != first || err != nil {
			t.Errorf("%q, %+v, %v", b, e, err)
		}
	}
	second, err := open(t, dir, 1<<20).Set(context.Background(), "k", []byte("two"), If{Version: first.Version})
	if err != nil {
		t.Fatal(err)
	}
	if b, e, err := s.Get("k"); string(b) != "two" || e != second || err != nil {
		t.Errorf("what another host has written: %q, %+v, %v", b, e, err)
	}
	for want, err := range map[error]error{
		ErrExists:  second2(s.Set(context.Background(), "k", nil, If{Absent: true})),
		ErrChanged: errors.Join(second2(s.Set(context.Background(), "k", nil, If{Version: first.Version})), s.Delete(context.Background(), "k", first.Version), s.Delete(context.Background(), "gone", "x")),
	} {
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if err := errors.Join(s.Delete(context.Background(), "k", second.Version), s.Delete(context.Background(), "k", "")); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Get("k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "p"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func second2(_ Entry, err error) error { return err }

func TestListsAreInOrder(t *testing.T) {
	s := open(t, t.TempDir(), 1<<20)
	for _, key := range []string{"b/2", "a", "b/1", "b/3", "c"} {
		if _, err := s.Set(context.Background(), key, []byte(key), If{}); err != nil {
			t.Fatal(err)
		}
	}
	list, more, err := s.List("b/", "b/1", 1)
	if err != nil || !more || len(list) != 1 || list[0].Key != "b/2" || list[0].Size != 3 {
		t.Errorf("%+v, %t, %v", list, more, err)
	}
	for _, tt := range []struct{ prefix, after, want string }{
		{"b/", "b/3", ""}, {"b/", "b/", "b/1 b/2 b/3"}, {"b/", "a", "b/1 b/2 b/3"}, {"b/", "c", ""}, {"", "b", "b/1 b/2 b/3 c"}, {"d", "", ""}, {"a", "", "a"}, {"a", "a", ""},
	} {
		list, _, err := s.List(tt.prefix, tt.after, 100)
		var keys []string
		for _, e := range list {
			keys = append(keys, e.Key)
		}
		if got := strings.Join(keys, " "); got != tt.want || err != nil {
			t.Errorf("%q behind %q: %s, %v; want %s", tt.prefix, tt.after, got, err, tt.want)
		}
	}
	if list, more, _ := s.List("", "", 100); len(list) != 5 || more {
		t.Errorf("%+v, %t", list, more)
	}
}

func TestWhatAGuestKeepsIsBounded(t *testing.T) {
	s := open(t, t.TempDir(), 2000)
	for key, want := range map[string]error{
		"": ErrKey, strings.Repeat("k", 257): ErrKey, "line\nbreak": ErrKey, "\xff": ErrKey, "esc\x1b": ErrKey, "nul\x00": ErrKey, "../../k": nil,
	} {
		if _, err := s.Set(context.Background(), key, nil, If{}); !errors.Is(err, want) {
			t.Errorf("key %.40q: %v, want %v", key, err, want)
		}
	}
	if _, err := s.Set(context.Background(), "large", make([]byte, MaxValue+1), If{}); !errors.Is(err, ErrLimit) {
		t.Errorf("%v", err)
	}
	kept := 0
	for i := range 1000 {
		_, err := s.Set(context.Background(), fmt.Sprint(i), nil, If{})
		if err == nil {
			kept++
		} else if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "maximum 2000") {
			t.Fatal(err)
		}
	}
	if kept < 10 || kept*Overhead > 2000 {
		t.Errorf("%d empty values are kept", kept)
	}
	// A policy that grants less than before lets what there is shrink.
	less := New(Config{Dir: s.cfg.Dir, Owner: Owner{Name: "p"}, Size: 500})
	if err := less.Delete(context.Background(), "1", ""); err != nil {
		t.Error(err)
	}
	if _, err := less.Set(context.Background(), "1", nil, If{}); !errors.Is(err, ErrLimit) {
		t.Errorf("%v", err)
	}
}

func TestNoChangeIsLost(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.1.new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir, 1<<20).Set(context.Background(), "n", []byte("0"), If{}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		s := open(t, dir, 1<<20)
		all.Go(func() {
			for done := 0; done < 25; {
				b, e, err := s.Get("n")
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(b))
				if _, err = s.Set(context.Background(), "n", []byte(strconv.Itoa(n+1)), If{Version: e.Version}); err == nil {
					done++
				} else if !errors.Is(err, ErrChanged) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if b, _, _ := open(t, dir, 1<<20).Get("n"); string(b) != "100" {
		t.Errorf("counted to %s of 100", b)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// What a host left that died is removed in its own folder, whatever that is called, and
// nowhere else.
func TestWhatWasLeftIsRemoved(t *testing.T) {
	base := t.TempDir()
	for _, folder := range []string{"plain", "all *", "[a-z]", "a"} {
		for _, file := range []string{"p.1.new", "pp.1.new", "p@0.1.new"} {
			path := filepath.Join(base, folder, file)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("half"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, folder := range []string{"all *", "[a-z]"} {
		if _, err := open(t, filepath.Join(base, folder), 1<<20).Set(context.Background(), "k", nil, If{}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, folder := range []string{"plain", "all *", "[a-z]", "a"} {
		entries, err := os.ReadDir(filepath.Join(base, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".new") {
				got = append(got, folder+"/"+e.Name())
			}
		}
	}
	want := "plain/p.1.new plain/p@0.1.new plain/pp.1.new all */p@0.1.new all */pp.1.new [a-z]/p@0.1.new [a-z]/pp.1.new a/p.1.new a/p@0.1.new a/pp.1.new"
	if got := strings.Join(got, " "); got != want {
		t.Errorf("there are\n%s\nwant\n%s", got, want)
	}
}

// A file that somebody has damaged is neither believed nor thrown away.
func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	if _, err := s.Set(context.Background(), "key", []byte("value"), If{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "p")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := [][]byte{nil, []byte("x"), good[:len(good)-1], append(bytes.Clone(good), 0)}
	for i := range good {
		changed := bytes.Clone(good)
		changed[i] ^= 0x40
		bad = append(bad, changed)
	}
	for _, b := range bad {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, 1<<20)
		if _, _, err := s.Get("key"); !errors.Is(err, errDamaged) {
			t.Fatalf("%q: %v", b, err)
		}
		if _, err := s.Set(context.Background(), "key", nil, If{}); !errors.Is(err, errDamaged) {
			t.Fatalf("%q is overwritten: %v", b, err)
		}
	}
}

// What is written can be read, however long the path of the policy is.
func TestALongPathOfAPolicy(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []int{maxPolicy, maxPolicy + 1} {
		of := func() *State {
			return New(Config{Dir: dir, Owner: Owner{Plugin: "p", Policy: "/" + strings.Repeat("p", n-1)}, Size: 1 << 20})
		}
		if _, err := of().Set(context.Background(), "k", []byte("v"), If{}); err != nil {
			t.Fatal(err)
		}
		if b, _, err := of().Get("k"); string(b) != "v" || err != nil {
			t.Errorf("with %d bytes: %q, %v", n, b, err)
		}
	}
}

// Nothing in the place of a state makes the host wait, or read without end, and a disk
// that fails is no damage.
func TestWhatIsNoFileOfAState(t *testing.T) {
	for name, tt := range map[string]struct {
		put     func(path string) error
		damaged bool
	}{
		"folder": {func(path string) error { return os.Mkdir(path, 0o700) }, false},
		"link":   {func(path string) error { return os.Symlink("/dev/zero", path) }, false},
		"sparse": {func(path string) error {
			return errors.Join(os.WriteFile(path, []byte(magic+strings.Repeat("i", idSize)), 0o600), os.Truncate(path, 1<<40))
		}, true},
	} {
		s := open(t, t.TempDir(), 1<<20)
		if err := tt.put(s.path()); err != nil {
			t.Fatal(err)
		}
		before := totalAlloc()
		_, _, err := s.Get("k")
		if err == nil || errors.Is(err, errDamaged) != tt.damaged {
			t.Errorf("%s: %v", name, err)
		}
		if n := totalAlloc() - before; n > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}

func totalAlloc() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// Two policies share a folder, and their plugins a name.
func TestAStateHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	gone, there := filepath.Join(dir, "gone.hcl"), filepath.Join(dir, "there.hcl")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	of := func(o Owner) *State { return New(Config{Dir: filepath.Join(dir, "state"), Owner: o, Size: 1 << 20}) }
	set := func(o Owner, value string) {
		t.Helper()
		if _, err := of(o).Set(context.Background(), "k", []byte(value), If{}); err != nil {
			t.Fatal(err)
		}
	}
	owners := []Owner{{Plugin: "p", Policy: gone}, {Plugin: "p", Policy: there}, {Plugin: "pp", Policy: gone}, {Plugin: "p", Policy: gone, Name: "p"}, {Name: "named"}}
	for i, o := range owners {
		if _, _, err := of(o).Get("k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v begins with somebody else's: %v", o, err)
		}
		set(o, strconv.Itoa(i))
	}
	for i, o := range owners {
		if b, _, err := of(o).Get("k"); string(b) != strconv.Itoa(i) || err != nil {
			t.Errorf("%+v has %q, %v", o, b, err)
		}
	}
	if b, _, err := of(Owner{Plugin: "other", Policy: "/other.hcl", Name: "named"}).Get("k"); string(b) != "4" || err != nil {
		t.Errorf("another policy under the same name has %q, %v", b, err)
	}

	// A policy that was moved is shown what was its own.
	moved := of(Owner{Plugin: "p", Policy: filepath.Join(dir, "new.hcl")})
	orphans, err := moved.Orphans(nil)
	if err != nil || len(orphans) != 1 || orphans[0] != (Orphan{of(owners[0]).Path(), gone}) {
		t.Fatalf("%+v, %v", orphans, err)
	}
	if orphans, err := moved.Orphans([]string{there}); err != nil || len(orphans) != 2 {
		t.Errorf("of a file that declares the plugin no more: %+v, %v", orphans, err)
	}
	if err := os.Rename(orphans[0].File, moved.Path()); err != nil {
		t.Fatal(err)
	}
	if b, _, err := moved.Get("k"); string(b) != "0" || err != nil {
		t.Errorf("after the move: %q, %v", b, err)
	}
	if orphans, err := moved.Orphans([]string{there}); len(orphans) != 0 || err != nil {
		t.Errorf("and then: %+v, %v", orphans, err)
	}
	named := of(Owner{Plugin: "p", Policy: there, Name: "new"})
	if orphans, err := named.Orphans(nil); err != nil || len(orphans) != 1 || orphans[0] != (Orphan{of(owners[1]).Path(), there}) {
		t.Errorf("of one that got a name: %+v, %v", orphans, err)
	}
	if orphans, err := of(Owner{Plugin: "none", Policy: there, Name: "new"}).Orphans(nil); err != nil || len(orphans) != 0 {
		t.Errorf("of one that had nothing: %+v, %v", orphans, err)
	}
}

// sealed has the checksum that the content needs.
func sealed(content []byte) []byte {
	sum := sha256.Sum256(content)
	return append(bytes.Clone(content), sum[:]...)
}

func FuzzDecode(f *testing.F) {
	var b bytes.Buffer
	if err := encode(&b, strings.Repeat("i", idSize), "/p.hcl", map[string]value{"k": {strings.Repeat("v", versionSize), []byte("x")}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes()[headSize : b.Len()-32])
	f.Add([]byte{0xff, 0x7f, 1, 1})
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1})
	f.Add([]byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, content []byte) {
		values, err := decode(nil, sealed(content))
		var s State
		if s.hold("", values); err == nil && s.size > int64(len(content))*Overhead {
			t.Errorf("%d bytes of %d", s.size, len(content))
		}
	})
}
