package mcp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\n"

// full is an output that somebody has, and that takes nothing.
type full struct{ io.WriteCloser }

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// A client that goes away does so at any point of the conversation. That is an
// end, and what is wrong with a client or an output that stay is an error.
func TestHowASessionOverPipesEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		// client talks to the server, which is over pipes of the system if system is set.
		client func(t *testing.T, toServer io.WriteCloser, fromServer io.ReadCloser)
		system bool
		full   bool
		want   string // of the error; "": none
	}{
		"it leaves": {client: func(_ *testing.T, toServer io.WriteCloser, _ io.ReadCloser) {
			toServer.Close()
		}},
		"it leaves in the middle of an answer, and says so first": {client: func(t *testing.T, toServer io.WriteCloser, fromServer io.ReadCloser) {
			ask(t, toServer)
			begin(t, fromServer)
			toServer.Close()
			fromServer.Close()
		}},
		"it stops reading in the middle of an answer": {client: func(t *testing.T, toServer io.WriteCloser, fromServer io.ReadCloser) {
			ask(t, toServer)
			begin(t, fromServer)
			fromServer.Close() // the server's end of the other pipe is closed by the server
		}},
		"it stops reading before an answer": {system: true, client: func(t *testing.T, toServer io.WriteCloser, fromServer io.ReadCloser) {
			fromServer.Close()
			ask(t, toServer)
		}},
		"it leaves in the middle of a message": {client: func(_ *testing.T, toServer io.WriteCloser, _ io.ReadCloser) {
			fmt.Fprint(toServer, ping[:10])
			toServer.Close()
		}, want: "unexpected EOF"},
		"it writes no messages": {client: func(_ *testing.T, toServer io.WriteCloser, _ io.ReadCloser) {
			fmt.Fprintln(toServer, "hello")
		}, want: "invalid character"},
		"the output is full": {full: true, client: func(t *testing.T, toServer io.WriteCloser, _ io.ReadCloser) {
			ask(t, toServer)
		}, want: syscall.ENOSPC.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			s := alone(t)
			fromClient, toServer, fromServer, toClient := pipes(t, tt.system)
			if tt.full {
				toClient = full{toClient}
			}
			ended := make(chan error, 1)
			go func() { ended <- s.Serve(t.Context(), fromClient, toClient) }()
			tt.client(t, toServer, fromServer)
			switch err := <-ended; {
			case tt.want == "" && err != nil:
				t.Errorf("the server ended with %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("the server ended with %v, want %s", err, tt.want)
			}
		})
	}
}

func ask(t *testing.T, toServer io.Writer) {
	t.Helper()
	if _, err := fmt.Fprint(toServer, ping); err != nil {
		t.Fatal(err)
	}
}

// begin reads the beginning of an answer. Pipes without a buffer hold the writer
// in the middle of its write.
func begin(t *testing.T, fromServer io.Reader) {
	t.Helper()
	if _, err := fromServer.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

func pipes(t *testing.T, system bool) (fromClient io.ReadCloser, toServer io.WriteCloser, fromServer io.ReadCloser, toClient io.WriteCloser) {
	t.Helper()
	if !system {
		fromClient, toServer := io.Pipe()
		fromServer, toClient := io.Pipe()
		t.Cleanup(func() { _, _ = toServer.Close(), fromServer.Close() })
		return fromClient, toServer, fromServer, toClient
	}
	pair := func() (*os.File, *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = r.Close(), w.Close() })
		return r, w
	}
	clients, servers := [2]*os.File{}, [2]*os.File{}
	servers[0], clients[1] = pair()
	clients[0], servers[1] = pair()
	return servers[0], clients[1], clients[0], servers[1]
}

// A session that has ended closes its input, and may then know no more than that.
func TestWhatASessionEndedBy(t *testing.T) {
	full := fmt.Errorf("write: %w", syscall.ENOSPC)
	for name, tt := range map[string]struct{ session, write, want error }{
		"the input's end":                        {nil, nil, nil},
		"the input, closed for a full output":    {os.ErrClosed, full, syscall.ENOSPC},
		"the input, closed for nobody's reading": {os.ErrClosed, syscall.EPIPE, nil},
		"what is no message, and nobody reads":   {io.ErrUnexpectedEOF, syscall.EPIPE, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			if err := end(tt.session, tt.write); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
