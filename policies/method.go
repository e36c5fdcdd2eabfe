package policies

import (
	"fmt"
	"strings"
)

// methodSet is a set of HTTP methods, one bit each.
type methodSet uint8

// knownMethods are those a rule may allow. CONNECT would make the broker a
// tunnel, and TRACE echoes the injected credential.
var knownMethods = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

const (
	methodGet  methodSet = 1 << 0
	methodHead methodSet = 1 << 1
	allMethods methodSet = 1<<len(knownMethods) - 1
)

// parseMethod wants the exact token. "get" is not repaired: servers differ on
// whether it is GET, so a rule about GET must not cover it.
func parseMethod(s string) (methodSet, error) {
	for i, m := range knownMethods {
		if s == m {
			return 1 << i, nil
		}
	}
	for _, m := range knownMethods {
		if strings.EqualFold(s, m) {
			return 0, fmt.Errorf("method %s must be written %s", quote(s), m)
		}
	}
	return 0, fmt.Errorf("method %s is not one of %s", quote(s), allMethods)
}

// String is "GET, HEAD".
func (s methodSet) String() string {
	var names []string
	for i, m := range knownMethods {
		if s&(1<<i) != 0 {
			names = append(names, m)
		}
	}
	return strings.Join(names, ", ")
}
