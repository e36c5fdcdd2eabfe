// Command webfetch is a Ringfence tool that reads a page of the web as Markdown,
// as plain text, or as it came.
//
// It needs one capability, GET requests to the sites that the policy names:
//
//	plugin "webfetch" {
//	  source = "./webfetch.wasm"
//	  http {
//	    allow "go.dev"            { paths = ["/**"] }
//	    allow "en.wikipedia.org"  { paths = ["/wiki/*"] }
//	    rate = "30/m"
//	  }
//	}
//
// # What a page becomes
//
// The body is decoded (decode.go), parsed as a browser does, cleaned (clean.go) and
// written (markdown.go, text.go). What is not for reading is left out: scripts,
// styles, forms, frames, and around the main part also navigation, banners and
// footers. Images are their alternative text unless asked for, since whoever shows
// Markdown would fetch them from wherever the page says.
//
// # What a page says behind its reader's back
//
// A page can tell an assistant what it does not show to a person. So text that the
// page itself hides is left out and counted: comments, the hidden attribute, inline
// styles and rules of its own <style> elements that hide, shrink, move away or
// bleach (hidden.go), and invisible characters. Attributes that nobody sees are not
// passed on either. This narrows the channel and does not close it: style sheets in
// other files are not read, and what is visible can lie as well. The raw format has
// everything.
//
// # Bounds
//
// At most maxPage bytes of a page are read and the rest is reported as cut. Nesting
// beyond maxDepth is flattened, lists and quotations beyond maxIndent too, and
// tables of more than maxCells are written as lines: each would let a small page
// cost much memory or the engine's small stack. The parser gets a page as long as
// there is room for what it makes of it (room.go), and nothing takes time by the
// square of a page's size.
package main
