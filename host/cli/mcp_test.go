package cli_test

import (
	"bufio"
	"io"
)

// scan sends each line and closes the channel at the end.
func scan(r io.Reader, lines chan<- string) {
	defer close(lines)
	s := bufio.NewScanner(r)
	for s.Scan() {
		select {
		case lines <- s.Text():
		default: // nobody listens; the process must not wait
		}
	}
}
