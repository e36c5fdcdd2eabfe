package host_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
)

// A server that never ends its answer keeps no tool that has read enough of it, and
// loses its connection with the call.
func TestAGuestReadsABodyAsItComes(t *testing.T) {
	both(t, func(t *testing.T, opts host.Options) {
		gone := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(make([]byte, 64<<10)) // what rogue.fetch reads
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(gone)
		}))
		defer server.Close()
		h := open(t, strings.Replace(rogue, "source =", fmt.Sprintf("http {\n allow %q { }\n }\n source =", server.URL), 1), opts)
		r, err := h.Call(t.Context(), "rogue.fetch", fmt.Appendf(nil, `{"url": %q}`, server.URL))
		if err != nil || len(r.JSON) < 64<<10 {
			t.Fatalf("%d bytes, %v", len(r.JSON), err)
		}
		<-gone
	})
}
