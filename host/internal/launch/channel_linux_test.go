package launch

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/internal/sealed"
	"github.com/ringfence/ringfence/pluginkit"
)

func (w *world) channelled() *Process {
	w.t.Helper()
	s := w.spec("channel")
	s.Channel = true
	return w.startSpec(s)
}

func TestDescriptorsArriveOverTheChannel(t *testing.T) {
	w := newWorld(t)
	p := w.channelled()
	var files []*os.File
	for _, text := range []string{"first", "second"} {
		f, err := sealed.Bytes("test", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	if err := p.Channel().Send(files); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, p, "take it"); got != "[2] first second" {
		t.Errorf("it got %q", got)
	}
	if got := ask(t, p, "take more"); !strings.Contains(got, "unavailable") {
		t.Errorf("it got %q", got)
	}
}

func TestNoChannelUnlessAskedFor(t *testing.T) {
	w := newWorld(t)
	p := w.start("channel")
	if p.Channel() != nil {
		t.Error("there is one")
	}
	if got := ask(t, p, "kind of"); strings.HasPrefix(got, "5 ") { // SOCK_SEQPACKET
		t.Errorf("it has one: %s", got)
	}
}

func TestChannelTellsOfADeath(t *testing.T) {
	w := newWorld(t)
	p := w.channelled()
	if err := unix.Kill(p.PID(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Channel().Gone():
	case <-time.After(10 * time.Second):
		t.Fatal("the channel did not hang up")
	}
	if e := p.Exit(); e.Killed || e.Signal != unix.SIGKILL {
		t.Errorf("%+v", e)
	}
}

// A process that gives up its channel, or says something on it, is at its end:
// an empty packet cannot be told from a closed socket, and none has a meaning.
func TestAProcessThatMisusesItsChannelIsKilled(t *testing.T) {
	for _, what := range []string{"close it", "write hello", "write nothing", "give one"} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			p := w.channelled()
			before := openFiles()
			_, _ = echo(t, p, what)
			select {
			case <-p.Done():
			case <-time.After(10 * time.Second):
				t.Fatal("it lives on")
			}
			if e := p.Exit(); !errors.Is(e.Cause, ErrChannel) {
				t.Errorf("%+v", e)
			}
			if after := openFiles(); after > before {
				t.Errorf("%d open files, %d before: the host took what it was given", after, before)
			}
		})
	}
}

func TestTheChannelsDescriptorIsReserved(t *testing.T) {
	w := newWorld(t)
	s := w.spec("channel")
	s.Channel = true
	s.Files = map[int]*os.File{pluginkit.ChannelFD: os.Stdin}
	if p, err := Start(t.Context(), s); err == nil {
		p.Kill()
		t.Error("it started")
	}
}
