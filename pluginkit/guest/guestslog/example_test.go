package guestslog_test

import (
	"fmt"
	"log/slog"

	"github.com/ringfence/ringfence/pluginkit/guest/guestslog"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

// A tool sets the default once, in init.
func Example() {
	host := &guesttest.Host{} // in a sandbox there is a real one
	defer host.Start()()

	log := guestslog.Logger().With("feed", "news")
	log.Warn("page skipped", "page", 7, slog.Group("http", "status", 404, "type", "text/html; charset=utf-8"))

	for _, line := range host.Logs {
		fmt.Println(line)
	}
	// Output: page skipped feed=news page=7 http.status=404 http.type="text/html; charset=utf-8"
}
