package beacon

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func runFolder(t *testing.T, state, name string) string {
	t.Helper()
	dir := filepath.Join(state, "run", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEveryHostThatLivesAnswers(t *testing.T) {
	state := filepath.Join(t.TempDir(), "[a-b]*", strings.Repeat("a long path ", 12)) // longer than a socket's address
	for _, name := range []string{"a", "b", "dead"} {
		b, err := Light(runFolder(t, state, name), func() any { return map[string]string{"host": name} })
		if err != nil {
			t.Fatal(err)
		}
		if name == "dead" {
			b.Close() // and the socket stays behind
			continue
		}
		defer b.Close()
	}
	answers, problems := Look(state)
	if len(problems) > 0 || len(answers) != 2 || string(answers[0]) != `{"host":"a"}`+"\n" || string(answers[1]) != `{"host":"b"}`+"\n" {
		t.Errorf("%s, %v", answers, problems)
	}
	if answers, problems := Look(t.TempDir()); len(answers)+len(problems) > 0 {
		t.Errorf("in an empty folder: %s, %v", answers, problems)
	}
	blocked := t.TempDir()
	if err := os.WriteFile(filepath.Join(blocked, "run"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if answers, problems := Look(blocked); len(answers) > 0 || len(problems) != 1 {
		t.Errorf("in a folder that cannot be read: %s, %v", answers, problems)
	}
}

// Whoever connects and does not read holds up nobody for long, and what stands in
// a socket's place is bounded.
func TestWhatIsNoHost(t *testing.T) {
	state := t.TempDir()
	serve := func(name, text string) {
		l, err := listen(runFolder(t, state, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			if c, err := l.Accept(); err == nil {
				c.Write([]byte(text))
				c.Close()
			}
		}()
	}
	serve("a", "no JSON")
	serve("b", strings.Repeat("1", maxAnswer+2))
	if err := os.WriteFile(filepath.Join(runFolder(t, state, "c"), name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	answers, problems := Look(state)
	if len(answers) != 0 || len(problems) != 2 {
		t.Errorf("%.100s, %v", answers, problems)
	}
}

func TestAReaderThatDoesNotRead(t *testing.T) {
	dir := runFolder(t, t.TempDir(), "a")
	b, err := Light(dir, func() any { return strings.Repeat("x", 4<<20) })
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var lazy net.Conn
	if err := short(dir, func(path string) (err error) { lazy, err = net.Dial("unix", path); return err }); err != nil {
		t.Fatal(err)
	}
	defer lazy.Close()
	if _, err := ask(dir); err != nil {
		t.Error(err)
	}
}
