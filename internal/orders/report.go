package orders

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"syscall"
)

// Line says what became of one layer.
type Line struct {
	Layer string `json:"layer"`
	// Note says more of a layer that holds, such as Landlock's version.
	Note string `json:"note,omitempty"`
	// Error and Errno say why it does not.
	Error string        `json:"error,omitempty"`
	Errno syscall.Errno `json:"errno,omitempty"`
}

// Failure is the layer that could not be had. Without it the program is not
// executed.
type Failure struct{ Line Line }

func (f *Failure) Error() string {
	return fmt.Sprintf("jail: %s: %s", f.Line.Layer, f.Line.Error)
}

// Unwrap returns the kernel's error, if it was one.
func (f *Failure) Unwrap() error {
	if f.Line.Errno == 0 {
		return nil
	}
	return f.Line.Errno
}

// ReadReport reads a report to its end. What it has read is valid with an error
// too.
func ReadReport(r io.Reader) ([]Line, error) {
	var lines []Line
	s := bufio.NewScanner(io.LimitReader(r, Max))
	for s.Scan() {
		var l Line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return lines, fmt.Errorf("report of the jail: %w", err)
		}
		lines = append(lines, l)
	}
	return lines, s.Err()
}
