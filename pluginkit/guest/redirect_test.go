package guest

import (
	"net/url"
	"testing"
)

// TestResolve holds resolve against net/url.
func TestResolve(t *testing.T) {
	bases := []string{"https://a.test/b/c/d?q=1#f", "https://a.test", "https://a.test/", "http://u@a.test:8080/x", "https://a.test?q=/../"}
	references := []string{"", "g", "./g", "g/", "/g", "//h.test/i", "?y=2", "g?y=2/../x", "#s", "g#s", "../g", "../../g", "../../../../g", ".", "..", "../", "./",
		"g/./h", "g/../h", "/./g/..", "https://x.test/y/../z", "mailto:x", "a:b", "1:b", "%2e%2e/g", "g:80/x", "/a//b", "..a/b", "http:g?x"}
	for _, base := range bases {
		for _, reference := range references {
			b, err := url.Parse(base)
			if err != nil {
				t.Fatal(err)
			}
			to, err := b.Parse(reference)
			if err != nil {
				continue
			}
			to.Fragment = ""
			// An absolute reference is left to the host to normalise.
			if r, _ := url.Parse(reference); r.IsAbs() {
				continue
			}
			if got := resolve(base, reference); got != to.String() {
				t.Errorf("%s from %s: got %s, net/url says %s", reference, base, got, to)
			}
		}
	}
}
