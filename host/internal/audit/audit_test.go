package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// TestMain doubles as a second host: see TestHostsShareOneFile.
func TestMain(m *testing.M) {
	if path := os.Getenv("AUDIT_TEST_WRITER"); path != "" {
		write(path)
		return
	}
	goleak.VerifyTestMain(m)
}

const perWriter = 400

func write(path string) {
	l, err := Open(path, fmt.Sprint("host", os.Getpid()))
	for i := 0; err == nil && i < perWriter; i++ {
		l.maxBytes = 16 << 10
		err = l.Record(Entry{Kind: "call", Decision: Allow, Reason: strings.Repeat("x", i%97)})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(t *testing.T) (*Log, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state", "audit.jsonl")
	l, err := Open(path, "h1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	l.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600)) }
	return l, path
}

func lines(t *testing.T, path string) (out []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}

func TestRecordFormat(t *testing.T) {
	l, path := open(t)
	for _, e := range []Entry{
		{Plugin: "github", Call: "c1", Kind: "http", Decision: Deny, Rule: "http", Reason: "no rule",
			Details: Details{Method: "GET", URL: "https://u:p@h.example/a?token=s3cret&x", Duration: time.Millisecond}},
		{Kind: "launch", Decision: Allow},
	} {
		if err := l.Record(e); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		`{"v":1,"time":"2026-01-02T02:04:05.000000006Z","seq":1,"host":"h1","plugin":"github","call":"c1","kind":"http","decision":"deny","rule":"http","reason":"no rule","details":{"method":"GET","url":"https://h.example/a?token=*&=*","duration_ns":1000000}}`,
		`{"v":1,"time":"2026-01-02T02:04:05.000000006Z","seq":2,"host":"h1","kind":"launch","decision":"allow"}`,
	}
	if got := lines(t, path); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A guest's text must not forge a second record, steer a terminal or fill the disk.
func TestHostileTextStaysInOneBoundedASCIILine(t *testing.T) {
	for _, hostile := range []string{
		"\n{\"v\":1,\"decision\":\"allow\"}", "\x1b]0;owned\a\x1b[2J", "\u009b31m", "\u202egnp.exe", "\u2028", "\xff\xfe", "😀\x7f", `\"`,
	} {
		long := strings.Repeat(hostile, 1<<20/len(hostile))
		line := encode(Entry{Plugin: long, Call: long, Kind: long, Decision: Decision(long), Rule: long, Reason: long,
			Details: Details{Tool: long, Method: long, URL: long, Secret: long, Status: 1 << 30, Sent: 1 << 62, Received: 1 << 62, Duration: 1 << 62}}, long, 1<<63, time.Now())
		if len(line) > MaxRecord {
			t.Errorf("%q: %d bytes (maximum %d)", hostile, len(line), MaxRecord)
		}
		if i := bytes.IndexFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			t.Errorf("%q: byte 0x%02x in the line", hostile, line[i])
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Errorf("%q: %v", hostile, err)
		} else if !strings.HasSuffix(r.Reason, ellipsis) || len(r.Reason) < 100 {
			t.Errorf("%q: the reason ends in %q", hostile, r.Reason[max(0, len(r.Reason)-20):])
		}
	}
}

func TestRedactURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://h/p":                        "https://h/p",
		"https://h/p?q=1&token=abc":          "https://h/p?q=*&token=*",
		"https://h/p?justthesecret":          "https://h/p?=*",
		"https://user:pass@h:1/p@q?x=a=b#f":  "https://h:1/p@q?x=*",
		"https://a@b@h":                      "https://h",
		"//u:p@h/x":                          "//h/x",
		"not a url \n?x=1?y=2":               "not a url \n?x=*",
		"":                                   "",
		"https://h/p?token;x=1&a[b]=2":       "https://h/p?=*&a[b]=*",
		"https://h/p?a=1#https://x/?token=2": "https://h/p?a=*",
	} {
		if got := RedactURL(raw); got != want {
			t.Errorf("RedactURL(%q) = %q, want %q", raw, got, want)
		}
	}
}

func TestRotationKeepsFourBoundedFiles(t *testing.T) {
	l, path := open(t)
	l.maxBytes = 1000
	for range 100 {
		if err := l.Record(Entry{Kind: "call", Decision: Allow}); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(path + "*")
	if len(files) != 4 {
		t.Fatalf("files: %v", files)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() > 1000 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, mode %v, %v", f, info.Size(), info.Mode(), err)
		}
	}
	all := lines(t, path)
	if !strings.Contains(all[len(all)-1], `"seq":100,`) {
		t.Errorf("the last record is %s", all[len(all)-1])
	}
}

func TestHostsShareOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	const hosts = 4
	var wg sync.WaitGroup
	for range hosts {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "AUDIT_TEST_WRITER="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	last := make(map[string]uint64)
	total := 0
	for _, file := range []string{path + ".3", path + ".2", path + ".1", path} {
		if _, err := os.Stat(file); err != nil {
			continue
		}
		for _, line := range lines(t, file) {
			var r record
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%s: %v: %s", file, err, line)
			}
			if r.Seq != last[r.Host]+1 && last[r.Host] != 0 {
				t.Fatalf("host %s: record %d after %d", r.Host, r.Seq, last[r.Host])
			}
			last[r.Host] = r.Seq
			total++
		}
	}
	if total < 300 || len(last) == 0 {
		t.Errorf("%d records of %d hosts are left", total, len(last))
	}
}

// Fail closed: whatever keeps a record out of the file reaches the caller.
func TestRecordFailsWhenItIsNotOnRecord(t *testing.T) {
	t.Run("closed", func(t *testing.T) {
		l, _ := open(t)
		_ = l.Close()
		if err := l.Record(Entry{}); !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("held by a stopped process", func(t *testing.T) {
		l, path := open(t)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		if err := l.Record(Entry{}); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("full disk", func(t *testing.T) {
		f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Skip("SKIPPED: no device that is always full: ", err)
		}
		defer f.Close()
		l := &Log{file: f, maxBytes: maxBytes}
		if err := l.append([]byte("x\n"), 0); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("folder gone", func(t *testing.T) {
		l, path := open(t)
		if err := os.RemoveAll(filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
		if err := l.Record(Entry{}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

func TestADeletedFileIsMadeAgain(t *testing.T) {
	l, path := open(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(Entry{Kind: "call", Decision: Allow}); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, path); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

// A symbolic link would send records, which a guest influences, into any file.
func TestOpenRefusesWhatIsNotAFile(t *testing.T) {
	dir := t.TempDir()
	link, pipe := filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, pipe, dir} {
		if l, err := Open(path, "h"); err == nil {
			_ = l.Close()
			t.Errorf("%s was opened", path)
		}
	}
}

func TestConcurrentRecordsAreWhole(t *testing.T) {
	l, path := open(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if err := l.Record(Entry{Kind: "call", Decision: Allow}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, line := range lines(t, path) {
		if !strings.Contains(line, fmt.Sprintf(`"seq":%d,`, i+1)) {
			t.Fatalf("line %d: %s", i+1, line)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "a"), "h")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		if err := l.Record(Entry{Plugin: "github", Kind: "http", Decision: Allow, Details: Details{URL: "https://api.github.com/x?q=1"}}); err != nil {
			b.Fatal(err)
		}
	}
}
