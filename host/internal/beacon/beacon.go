// Package beacon lets a running host say what it is doing, to whoever may enter
// its run folder: a Unix socket there answers each connection with one JSON value
// and hangs up. Nothing is read from a connection, so nothing can be asked of a
// host in this way.
package beacon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	name = "status"
	// answerBound is how long one connection may take.
	answerBound = time.Second
	// maxAnswer bounds what is read of one host, in bytes.
	maxAnswer = 8 << 20
)

// Beacon is the socket of one host.
type Beacon struct {
	listener net.Listener
	done     sync.WaitGroup
}

// Light makes the socket in a private folder. value is asked for each connection,
// by one goroutine at a time.
func Light(folder string, value func() any) (*Beacon, error) {
	l, err := listen(folder)
	if err != nil {
		return nil, fmt.Errorf("make the socket for status: %w", err)
	}
	b := &Beacon{listener: l}
	b.done.Go(func() { b.serve(value) })
	return b, nil
}

// short calls f with a path for the socket that fits its address, which has room
// for 107 bytes, however long the folder's own path is.
func short(folder string, f func(path string) error) error {
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), name))
}

func listen(folder string) (l net.Listener, err error) {
	err = short(folder, func(path string) error {
		l, err = net.Listen("unix", path)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // the path is not valid any more; the folder goes as a whole
	return l, nil
}

func (b *Beacon) serve(value func() any) {
	for {
		c, err := b.listener.Accept()
		if err != nil {
			return
		}
		_ = c.SetDeadline(time.Now().Add(answerBound))
		_ = json.NewEncoder(c).Encode(value())
		_ = c.Close()
	}
}

// Close puts the beacon out.
func (b *Beacon) Close() {
	_ = b.listener.Close()
	b.done.Wait()
}

// Look asks all hosts that run below a state folder, side by side: one that hangs
// takes its time and nobody else's. What a host that has died left behind does not
// answer and is passed over. problems are those of hosts that live.
func Look(state string) (answers []json.RawMessage, problems []error) {
	// Not by a pattern: one that a state folder's name makes finds nobody, and none
	// says that a folder cannot be read.
	entries, err := os.ReadDir(filepath.Join(state, "run"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, []error{fmt.Errorf("look for hosts: %w", err)}
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() {
			folders = append(folders, filepath.Join(state, "run", e.Name()))
		}
	}
	var asked errgroup.Group
	asked.SetLimit(32)
	texts, errs := make([]json.RawMessage, len(folders)), make([]error, len(folders))
	for i, folder := range folders {
		asked.Go(func() error {
			texts[i], errs[i] = ask(folder)
			return nil
		})
	}
	_ = asked.Wait()
	for i, err := range errs {
		switch {
		case err == nil:
			answers = append(answers, texts[i])
		case !dead(err):
			var op *net.OpError
			if errors.As(err, &op) { // without its address, which is of this process
				err = op.Err
			}
			problems = append(problems, fmt.Errorf("the host of %s does not answer: %w", folders[i], err))
		}
	}
	return answers, problems
}

func ask(folder string) (answer json.RawMessage, err error) {
	var c net.Conn
	if err := short(folder, func(path string) (err error) {
		c, err = net.DialTimeout("unix", path, answerBound)
		return err
	}); err != nil {
		return nil, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * answerBound))
	text, err := io.ReadAll(io.LimitReader(c, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxAnswer {
		return nil, fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	}
	if !json.Valid(text) {
		return nil, errors.New("an answer that is not JSON")
	}
	return text, nil
}
