package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// stdout is standard output. The first write that fails ends the run: its error
// is kept, so that no command has to look at each of its writes, and the context
// is cancelled, so that whatever runs is stopped and cleaned up behind.
type stdout struct {
	file *os.File
	stop context.CancelFunc

	mu   sync.Mutex
	lost error // guarded by mu
}

func (o *stdout) Write(b []byte) (int, error) {
	n, err := o.file.Write(b)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.lost == nil {
			o.lost = err
		}
		o.stop()
	}
	return n, err
}

// Fd is the descriptor, for questions about the terminal.
func (o *stdout) Fd() uintptr { return o.file.Fd() }

// err is what became of the output.
func (o *stdout) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.lost == nil:
		return nil
	case errors.Is(o.lost, syscall.EPIPE): // `ringfence … | head -1`
		return errNobodyReads
	}
	return fmt.Errorf("%w: %w", errOutput, o.lost)
}

var (
	errOutput      = errors.New("the output could not be written")
	errNobodyReads = errors.New("nobody reads the output any more")
)
